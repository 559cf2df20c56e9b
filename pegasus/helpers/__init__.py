"""The Handlebars helpers that print a value. The blocks are in `pegasus.handlebars.blocks`.

A helper is a function of the arguments in its tag. What it returns is printed, or is an
argument of another helper. A ValueError's text reaches the user as it is.

`builtin` lists ours by name, `registry` knows those of users as well.
"""
