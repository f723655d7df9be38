"""What the benchmarks share: clocks, made logs, the other side of a comparison. Nothing here is a command."""
