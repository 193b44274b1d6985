"""The default engine: a harmonic field trained in Keras, run in LiteRT."""
