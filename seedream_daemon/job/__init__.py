"""From what was asked to exactly what to shoot. Pure: no clock, no disk, no network.

job.toml text comes in, a Plan of Shots goes out, or every mistake at once.
"""
