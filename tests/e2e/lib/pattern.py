"""The content that the handlers of gallery/ send: every byte tells its place."""

BYTES_MAX = 4 << 20
PATTERN = bytes(97 + (i + i // 26 + i // 65536) % 26 for i in range(BYTES_MAX))
