"""Folders arrive, are claimed, and are put away.

`settle` decides, from sights of a drop over time, when it is whole; `mounts` reads a table. All
else here meets the disk: `sight` looks at one drop, `whole` into its files, `tend` brings one
drop to its claim and `watch` all of them; `nudge` and `ears` hear of changes; `listing` and
`place` are the inbox and its own folders, `claim` moves drops between them, `rights` says why
one cannot be moved.
"""
