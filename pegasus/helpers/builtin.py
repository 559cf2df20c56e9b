"""Our helpers, by the names they have in templates.

Names and results are those of handlebars_misc_helpers 0.13, which pegasus 1.4 has, except where
a docstring says otherwise.
"""

from __future__ import annotations

from pegasus.helpers import case, json_values, machine, paths, text, values
from pegasus.helpers.arguments import Helper

HELPERS: dict[str, Helper] = {
    "lookup": values.lookup,
    "log": values.log,
    "assign": values.assign,
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
    "file_name": paths.file_name,
    "parent": paths.parent,
    "extension": paths.extension,
    "canonicalize": machine.canonicalize,
    "env_var": machine.env_var,
    "read_to_str": machine.read_to_str,
    "json_to_str": json_values.json_to_str,
    "str_to_json": json_values.str_to_json,
    "json_query": json_values.json_query,
    "json_str_query": json_values.json_str_query,
}
