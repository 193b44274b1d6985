"""NSynth's WaveNet autoencoder (Engel et al. 2017, arXiv:1704.01279): official checkpoints, and fast.

weights = checkpoint.load("wavenet-ckpt.tar")
codes = encoder.encode(weights, audio)            # (N, samples) at 16 kHz → (N, frames, 16)
sound = generator.generate(weights, codes, seed=0)  # (N, 512 * frames)
"""

import os

# TensorFlow's greeting is no message of ours; it reads this once, when it is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
