"""How the residual gain is trained: simulated rooms and recorded voices of the tuning set only (docs/adr).

``make train-residual`` does it all: :mod:`tools.training.corpus` renders scenes through the real canceller to files of
features under .cache/training, :mod:`tools.training.train` trains the network on them and writes
appliance/audio/residual.npz. Every step is seeded by :mod:`tools.training.recipe`.
"""
