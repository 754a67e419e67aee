"""The Ark image API, and nothing of ours (it does not know what a Shot is).

In: an ArkRequest (wire). Out: each ArkPicture as it arrives, then an ArkAnswer, or an ArkError that
says what to do about it (failures). The edges are client.py and results.py, on connections of
network.py and transport.py; body, answer and sse move bytes; backoff and hosts are arithmetic.
"""
