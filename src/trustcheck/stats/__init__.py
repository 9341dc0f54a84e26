"""Pure statistics on numpy arrays: numbers in, numbers and small frozen records out.

Nothing here knows trustcheck's types, draws a random number or reads a file.
An interval is two-sided and central; where there are no rows, bounds are nan.
"""
