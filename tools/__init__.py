"""The commands behind the Makefile. Read: environment, vendor, site, outputs, stamp, prove."""
