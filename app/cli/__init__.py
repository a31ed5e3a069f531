"""The command line: a command a file; each calls the function that the window calls."""
