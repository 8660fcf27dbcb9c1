/* SPDX-License-Identifier: Apache-2.0 */
/* How the first IKE_SA comes up: IKE_SA_INIT, then IKE_AUTH with its first child. Peer 0 begins. */

/* P has no such IKE_SA. What is refused here leaves no state (RFC 7296, 2.21.1). */
inline answer_init(P, G)
{
	H(P, G).st = IKE_CREATED;
	if
	:: choice == REFUSE ->
		ike_move(P, G, IKE_EV_FAILED);
		H(P, G).st = 0;
		reply_with(P, G, R_REFUSED)
	:: else ->
		ike_move(P, G, IKE_EV_RESPOND);
		H(P, G).in_id = H(1 - P, G).out_id;
		reply_with(P, G, R_OK)
	fi
}

/* A child that fails here leaves the IKE_SA (law 1). */
inline answer_auth(P, G, MAKES)
{
	answer = R_OK;
	ike_move(P, G, IKE_EV_AUTHENTICATED);
	if
	:: choice == REFUSE -> answer = R_CHILDLESS
	:: choice == BACKEND ->
		C(P, MAKES).st = CHILD_CREATED;
		child_move(P, MAKES, CHILD_EV_INSTALL);
		child_destroy(P, MAKES, CHILD_EV_INSTALL_FAILED);
		answer = R_CHILDLESS
	:: else ->
		C(P, MAKES).st = CHILD_CREATED;
		child_move(P, MAKES, CHILD_EV_INSTALL);
		child_move(P, MAKES, CHILD_EV_INSTALL_OK)
	fi
}

inline take_init(P, G)
{
	if
	:: answer == R_OK ->
		C(P, 0).st = CHILD_CREATED;
		ask(P, G, K_AUTH, 0, 0)
	:: else ->
		/* not authenticated: remembered, not obeyed */
		H(P, G).out = K_INIT;
		H(P, G).wait = 1
	fi
}

inline take_auth(P, G, MAKES)
{
	if
	:: choice == BAD ->
		/* the peer is not who it should be */
		excuse = 1;
		half_ends(P, G, IKE_EV_FAILED)
	:: choice != BAD && answer == R_CHILDLESS ->
		ike_move(P, G, IKE_EV_AUTHENTICATED);
		child_destroy(P, MAKES, CHILD_EV_FAILED)
	:: choice != BAD && answer == R_OK ->
		ike_move(P, G, IKE_EV_AUTHENTICATED);
		child_move(P, MAKES, CHILD_EV_INSTALL);
		child_move(P, MAKES, CHILD_EV_INSTALL_OK)
	fi
}

/* keyingtries: all begins anew, under another SPI; what is half open over there ends by itself. */
inline begin_again(P, G)
{
	may_attempt--;
	ike_move(P, G, IKE_EV_RESTART);
	if
	:: H(1 - P, G).st == IKE_CONNECTING ->
		ike_move(1 - P, G, IKE_EV_SILENT);
		H(1 - P, G).st = 0
	:: else
	fi;
	H(1 - P, G).in_id = 0; H(1 - P, G).out_id = 0; H(1 - P, G).reply = 0;
	H(P, G).in_id = 0; H(P, G).out_id = 0;
	if
	:: C(P, 0).st == CHILD_CREATED -> C(P, 0).st = 0
	:: else
	fi;
	ask(P, G, K_INIT, 0, 0)
}
