# swanctl is tested as a whole, against recorded and made-up daemons; run with BEWICK_BUILD set
EXTRA_DIST += \
	testing/scenarios/swanctl_lab.py \
	testing/scenarios/test_swanctl_cli.py \
	testing/scenarios/test_swanctl_replay.py
