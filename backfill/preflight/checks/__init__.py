"""What preflight looks at, a file a theme: every check is pure and looks at gathered evidence."""
