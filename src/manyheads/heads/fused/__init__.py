"""The engine that trains a bank of heads with kernels compiled for this processor."""
