"""The application: window, menus, jobs on threads, sessions on disk, command line."""
