# Real daemons in namespaces, with each other and with others; run by scripts/check.
EXTRA_DIST += \
	testing/interop/conftest.py \
	testing/interop/peers.py \
	testing/interop/states \
	testing/interop/test_behaviour.py \
	testing/interop/test_fragments.py \
	testing/interop/test_matrix.py \
	testing/interop/test_reauth.py \
	testing/interop/test_strongswan.py \
	testing/interop/test_vici.py \
	testing/scenarios/conftest.py \
	testing/scenarios/lab/__init__.py \
	testing/scenarios/lab/conf.py \
	testing/scenarios/lab/fixtures.py \
	testing/scenarios/lab/gateway.py \
	testing/scenarios/lab/net.py \
	testing/scenarios/lab/run.py \
	testing/scenarios/lab/states.py \
	testing/scenarios/lab/vici.py \
	testing/scenarios/states \
	testing/scenarios/swanctl_lab.py \
	testing/scenarios/test_bewickd.py \
	testing/scenarios/test_clients.py \
	testing/scenarios/test_failures.py \
	testing/scenarios/test_fragments.py \
	testing/scenarios/test_life.py \
	testing/scenarios/test_losses.py \
	testing/scenarios/test_reauth.py \
	testing/scenarios/test_retry.py \
	testing/scenarios/test_rekey_vici.py \
	testing/scenarios/test_swanctl_cli.py \
	testing/scenarios/test_swanctl_replay.py \
	testing/scenarios/test_tunnels.py
