"""The Handlebars helpers that print a value. The blocks are in `pegasus.handlebars.blocks`.

A helper is a function of the arguments in its tag. What it returns is printed, or is an
argument of another helper. A ValueError's text reaches the user as it is.

Names and results are those of handlebars_misc_helpers 0.13, which pegasus 1.4 has, except where
a docstring says otherwise.
"""

from __future__ import annotations

from pegasus.helpers import case, text, values
from pegasus.helpers.arguments import Helper

__all__ = ["HELPERS", "Helper"]

#: Every helper by the name it has in templates.
HELPERS: dict[str, Helper] = {
    "lookup": values.lookup,
    "log": values.log,
    "len": values.length,
    "eq": values.eq,
    "ne": values.ne,
    "gt": values.gt,
    "gte": values.gte,
    "lt": values.lt,
    "lte": values.lte,
    "and": values.and_,
    "or": values.or_,
    "not": values.not_,
    "first_non_empty": values.first_non_empty,
    "to_lower_case": case.to_lower_case,
    "to_upper_case": case.to_upper_case,
    "to_camel_case": case.to_camel_case,
    "to_pascal_case": case.to_pascal_case,
    "to_snake_case": case.to_snake_case,
    "to_screaming_snake_case": case.to_screaming_snake_case,
    "to_kebab_case": case.to_kebab_case,
    "to_train_case": case.to_train_case,
    "to_sentence_case": case.to_sentence_case,
    "to_title_case": case.to_title_case,
    "to_class_case": case.to_class_case,
    "to_table_case": case.to_table_case,
    "to_plural": case.to_plural,
    "to_singular": case.to_singular,
    "trim": text.trim,
    "trim_start": text.trim_start,
    "trim_end": text.trim_end,
    "replace": text.replace,
    "quote": text.quote,
    "unquote": text.unquote,
    "shell_quote": text.shell_quote,
}
