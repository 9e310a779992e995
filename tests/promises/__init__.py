"""What cutover promises, as functions over what can be seen from outside; `docs/promises.md` is made from it."""
