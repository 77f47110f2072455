"""What the module exports, as `wit/guest.wit` has it, and what it imports.

componentize-py makes `wit_world` and `componentize_py_types` of `wit`. What is imported is imported up here: when the
module runs there is no file to import from.
"""

import wit_world
from componentize_py_types import Err
from wit_world.imports import log

import tasks


class WitWorld(wit_world.WitWorld):
    def square(self, x: int) -> int:
        try:
            return tasks.square(x)
        except ValueError as error:
            raise Err(str(error))

    def count_words(self, text: bytes) -> int:
        log.log(log.Level.INFO, f"a text of {len(text)} bytes")
        return tasks.count_words(text)
