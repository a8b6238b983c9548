"""What the files of an installation tell of a version: a function for each statement, by the name that forms use.

A fact takes the material and the words of a language. Its text is in words/, and it names the files that it rests on. A
figure that nobody has measured makes the statement an open one, which never counts as told.
"""

from collections.abc import Callable, Mapping

from models.disclosure.facts import development, governance, system, use
from models.disclosure.material import Material
from models.disclosure.statement import Statement
from models.site import Words

Fact = Callable[[Material, Words], Statement]

FACTS: Mapping[str, Fact] = {
    each.__name__: each for part in (system, development, governance, use) for each in part.FACTS
}
