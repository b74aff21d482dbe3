"""Other ways to find what is strange, on the same windows and judged by the same labels.

`python -m benchmarks.peers [--split test] [--seeds 1 2 3]` prints the table. Each module holds one kind of peer; each
peer learns from the windows of the learning days and gives every watched window a number, higher is stranger. Where a
peer has settings, it has its authors' defaults.
"""
