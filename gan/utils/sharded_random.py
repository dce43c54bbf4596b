"""The old place of ShardedRandom, for trainer.py and tests/test_trainer.py."""

from gan.utils.distributed import ShardedRandom as ShardedRandom
