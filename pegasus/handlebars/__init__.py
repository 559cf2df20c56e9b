"""Handlebars for shell text: pybars3 with its grammar, code builder and runtime extended.

Imported on first need only, by `pegasus.template`: pybars takes half a second to import.
The way of a template::

    text  --grammar-->  tokens  --whitespace-->  tokens  --compiler-->  Program
    Program + parameters + helpers  --runtime, blocks-->  text

`grammar` and `compiler` are the only modules of pegasus that import pybars and pymeta.
"""
