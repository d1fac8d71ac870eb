"""Model files of Keras, HDF5 and ONNX, read without trusting them."""
