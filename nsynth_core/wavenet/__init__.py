"""NSynth's WaveNet autoencoder (Engel et al. 2017, arXiv:1704.01279): reads official checkpoints, and computes fast.

    weights = checkpoint.load("wavenet-ckpt.tar")
    codes = encoder.encode(weights, audio)              # (N, samples) at 16 kHz -> (N, frames, 16)
    sound = generator.generate(weights, codes, seed=0)  # (N, 512 * frames)

Everything but the checkpoint's variables and the encodings is TensorFlow, which the optional dependencies `nsynth`
bring.
"""
