"""How fast the library is beside what a user would pick instead. Run from the repository: see README.md."""
