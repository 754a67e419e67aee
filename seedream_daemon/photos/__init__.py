"""From a file off a phone to bytes that the API takes.

A path comes in; out comes what its header says (inspect), or a prepared JPEG on disk (workers).
headers, crop, steps and treatment are pure or only read; decode, encode, faces, croppers and sheet
know the picture libraries and run in worker processes only, under worker and prepare, since what
they read comes from anybody. folder lists a drop; workers is the edge to the processes.
"""
