"""One file a room of the library, and the laws, the house rules, the pages."""
