/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two peers with an IKE_SA and its CHILD_SAs, a network that loses, repeats and reorders, and what either may do at any time.
 * README.md says what is abstracted, bounds.h what a run may do. All moves go through the tables of rows.pml, which is written
 * from src/sa.
 */
#include "rows.pml"
#include "bounds.h"

mtype = { K_INIT, K_AUTH, K_PROBE, K_DELETE_IKE, K_DELETE_CHILD, K_NEW_CHILD, K_REKEY_CHILD, K_REKEY_IKE };
mtype = { R_OTHER_KE, R_CHILDLESS, R_TOKEN };
mtype = { FINE, REFUSE, BACKEND, BAD, OTHER_KE };

/* One peer's half of an IKE_SA. Both halves of an SA have the same number, which stands for its SPIs. */
typedef ike_half {
	mtype st;      /* 0: never there */
	mtype out;     /* our request under way: kind, the SA it is about, the SA it makes */
	byte about, makes;
	bit wait;      /* for its answer; 0: forgotten, the packet may still fly */
	bit fly;       /* the request is in the network */
	bit out_id, in_id; /* message ids: the last sent, the last taken, modulo 2 (window 1) */
	byte tries;
	mtype reply;   /* the stored reply */
	bit reply_fly; /* it is in the network */
	bit parked_out, parked_in; /* the backend is busy for our exchange, or for the peer's */
	byte rival;    /* the peer's successor, made while our own request was under way */
	byte undecided; /* 1 + the SA whose rival this one is, until our own rekeying ends */
	bit todo;      /* to be deleted by us */
};

typedef child_half {
	mtype st;      /* 0: never there */
	byte ike;      /* the owner */
	byte old;      /* 1 + what it replaces */
	byte mine;     /* our attempt to replace it that is under way */
	byte rival;    /* of an attempt: the peer's successor of the same child, seen meanwhile */
	bit hold;      /* of an attempt: installed, but the rival is not yet */
	bit todo;      /* to be deleted by us */
	bit mute;      /* redundant: nothing is sent on it */
	bit gone;      /* the peer closed it before we had the answer that names it */
};

ike_half half[2 * IKES];
child_half kid[2 * KIDS];

#define H(P, G) half[(P) * IKES + (G)]
#define C(P, K) kid[(P) * KIDS + (K)]
/* Successors with odd numbers are made by peer 0. Number 0 is there from the start; the last child is a bystander. */
#define MAKER(N) (((N) + 1) & 1)
#define BYSTANDER (KIDS - 1)
#define ALIVE(P, G) (H(P, G).st != 0 && H(P, G).st != IKE_DESTROYING && H(P, G).st != IKE_CLOSED)
#define LIVE(P, K) (C(P, K).st == CHILD_INSTALLED || C(P, K).st == CHILD_REKEYING || C(P, K).st == CHILD_REKEYED)
#define IDLE(P, G) (!H(P, G).wait && !H(P, G).fly && !H(P, G).parked_out && !H(P, G).parked_in)

/* What is left of the things that a run may do. */
byte may_rekey_child[2], may_delete_child[2], may_new_child[2], may_rekey_ike[2], may_delete_ike[2];
byte may_lose, may_repeat, may_refuse, may_break, may_bad, may_force, may_restart, may_other_ke, may_retry, may_limit, may_attempt;
byte may_send_esp[2];
byte esp[2];    /* 1 + the child that a packet in the network uses, by sender */
bit wish_child, wish_ike; /* someone closed a child, or the IKE_SA, on purpose */
bit uprooted;   /* a peer lost its state, or more was lost than there are tries */
bit excuse;     /* that, or a peer broke the rules: an IKE_SA may end */
byte lost;      /* requests and answers */
/* Whose nonces are lowest, chosen when it is first asked for: 1 + the peer; by pair of exchanges. */
#define PAIR(A, B) (((A) - 1) / 2 * 2 + ((B) - 1) / 2)
byte low_child[4], low_ike[4];

hidden byte i, j, next, choice, answer, kind, about, makes, other;
hidden byte mutant;
#ifdef MUTANTS
#define MUTANT(N) (mutant == N)
#else
#define MUTANT(N) (0)
#endif

/* ---- moves ---- */

inline ike_move(P, G, EVENT)
{
	next = ike_next[H(P, G).st * NAMES + EVENT];
	printf("%d: IKE_SA %d: %e on %e\n", P, G, H(P, G).st, EVENT);
	assert(next != 0); /* an IKE_SA moves by declared rows only */
	H(P, G).st = next;
}

inline child_move(P, K, EVENT)
{
	next = child_next[C(P, K).st * NAMES + EVENT];
	printf("%d: CHILD_SA %d: %e on %e\n", P, K, C(P, K).st, EVENT);
	assert(next != 0); /* a CHILD_SA moves by declared rows only */
	C(P, K).st = next;
}

/* What is over keeps nothing but its state, so that equal ends are equal. */
inline child_gone(P, K)
{
	C(P, K).ike = 0;
	C(P, K).old = 0;
	C(P, K).rival = 0;
	C(P, K).mine = 0;
	C(P, K).hold = 0;
	C(P, K).todo = 0;
	C(P, K).mute = 0;
	C(P, K).gone = 0;
}

inline child_destroy(P, K, EVENT)
{
	child_move(P, K, EVENT);
	assert(C(P, K).st == CHILD_DESTROYING);
	child_gone(P, K);
}

/* An attempt that made nothing: its number may be used again. */
inline child_forget(P, K, EVENT)
{
	child_destroy(P, K, EVENT);
	C(P, K).st = 0;
}

/* Lingers with its inbound half; without LINGER that time is over at once. */
inline child_closed(P, K)
{
	assert(C(P, K).st == CHILD_DELETED);
	if
	:: !LINGER || MUTANT(1) -> child_destroy(P, K, CHILD_EV_DESTROY)
	:: else -> C(P, K).todo = 0; C(P, K).mine = 0
	fi
}

/*
 * The peer closed a successor that was not replaced itself: when it was the last one, what it replaced goes on, unless that is
 * to be closed, too. (The peer's backend refused the successor after we had made our half.)
 */
inline child_restore(P, K)
{
	other = KIDS;
	if
	:: C(P, K).old != 0 && !MUTANT(2) ->
		other = C(P, K).old - 1;
		for (j : 0 .. KIDS - 1) {
			if
			:: j != K && other < KIDS && C(P, j).old == other + 1 && (C(P, j).st == CHILD_INSTALLED || C(P, j).st == CHILD_REKEYING) -> other = KIDS
			:: j != K && other < KIDS && C(P, j).old == other + 1 && C(P, j).st == CHILD_INSTALLING -> other = KIDS
			:: else
			fi
		}
		if
		:: other < KIDS && C(P, other).st == CHILD_REKEYED && !C(P, other).todo ->
			child_move(P, other, CHILD_EV_REVIVED)
		:: else -> other = KIDS
		fi
	:: else
	fi
}

inline children_die(P, G)
{
	for (i : 0 .. KIDS - 1) {
		if
		:: C(P, i).st != 0 && C(P, i).st != CHILD_DESTROYING && C(P, i).ike == G ->
			child_destroy(P, i, CHILD_EV_DESTROY)
		:: else
		fi
	};
	i = 0
}

inline children_go(P, G, TO)
{
	for (i : 0 .. KIDS - 1) {
		if
		:: C(P, i).st != 0 && (C(P, i).st != CHILD_DESTROYING || C(P, i).todo) && C(P, i).ike == G -> C(P, i).ike = TO
		:: else
		fi
	};
	i = 0
}

/* ---- requests and replies ---- */

#define EXCHANGE(K) (K == K_INIT -> X_INIT : (K == K_AUTH -> X_AUTH : \
	(K == K_NEW_CHILD || K == K_REKEY_CHILD || K == K_REKEY_IKE -> X_CREATE : X_INFO)))
#define MAY_GO(P, G, X) may_go[H(P, G).st * NAMES + X]

inline ask(P, G, KIND, ABOUT, MAKES)
{
	printf("%d: on IKE_SA %d: %e about %d, to make %d\n", P, G, KIND, ABOUT, MAKES);
	H(P, G).out = KIND;
	H(P, G).about = ABOUT;
	H(P, G).makes = MAKES;
	H(P, G).wait = 1;
	H(P, G).fly = 1;
	H(P, G).tries = 0;
	H(P, G).out_id = 1 - H(P, G).out_id
}

/* Nothing is awaited any more; a packet in the network keeps what it says. */
inline forget_request(P, G)
{
	H(P, G).wait = 0;
	H(P, G).tries = 0;
	if
	:: !H(P, G).fly -> H(P, G).out = 0; H(P, G).about = 0; H(P, G).makes = 0
	:: else
	fi
}

inline reply_with(P, G, WHAT)
{
	printf("%d: on IKE_SA %d: answers %e\n", P, G, WHAT);
	H(P, G).reply = WHAT;
	H(P, G).reply_fly = 1
}

/* Of the peer's successor it is known, or plain by now, that it is the one. */
inline rival_wins(P, G)
{
	other = H(P, G).rival;
	H(P, G).rival = 0;
	H(P, other).undecided = 0;
	children_go(P, G, other);
	ike_move(P, G, IKE_EV_REPLACED)
}

#define HAS_RIVAL(P, G) (H(P, G).rival != 0 && ALIVE(P, H(P, G).rival))

/* Our half ends by an event: its children go with it, or to the peer's successor of it. */
inline half_ends(P, G, EVENT)
{
	if
	:: HAS_RIVAL(P, G) && !MUTANT(3) -> rival_wins(P, G)
	:: else
	fi;
	ike_move(P, G, EVENT);
	children_die(P, G);
	if
	:: H(P, G).undecided -> H(P, H(P, G).undecided - 1).rival = (MUTANT(10) -> 0 : G)
	:: else
	fi;
	forget_request(P, G);
	H(P, G).rival = 0;
	H(P, G).undecided = 0;
	H(P, G).todo = 0;
	H(P, G).parked_out = 0;
	H(P, G).parked_in = 0;
	if
	:: H(P, G).st == IKE_DESTROYING && !H(P, G).reply_fly -> H(P, G).reply = 0
	:: else
	fi
}

/* The SA is known to the peer as one that its answer will make: not here yet, and no stranger. */
#define EXPECTED(P, G) (G != 0 && MAKER(G) == P && H(P, G).st == 0 && \
	((H(P, 0).wait && H(P, 0).out == K_REKEY_IKE && H(P, 0).makes == G) || \
	 (IKES > 1 && H(P, 1 % IKES).wait && H(P, 1 % IKES).out == K_REKEY_IKE && H(P, 1 % IKES).makes == G) || \
	 (IKES > 2 && H(P, 2 % IKES).wait && H(P, 2 % IKES).out == K_REKEY_IKE && H(P, 2 % IKES).makes == G)))

/* ---- rekeying a child ---- */

#define LOWEST(TABLE, P, MINE, THEIRS) (TABLE[(P == 0 -> PAIR(MINE, THEIRS) : PAIR(THEIRS, MINE))] == P + 1)
#define OURS_REDUNDANT(TABLE, P, MINE, THEIRS) (MUTANT(5) && P == 0 -> !LOWEST(TABLE, P, MINE, THEIRS) : LOWEST(TABLE, P, MINE, THEIRS))

/* A redundant SA does nothing any more; ours: we close it, else the peer does. */
inline child_drop(P, K, OURS)
{
	if
	:: C(P, K).st == CHILD_INSTALLED ->
		child_move(P, K, CHILD_EV_REPLACED);
		C(P, K).todo = OURS;
		C(P, K).mute = (TRAFFIC > 0)
	:: else
	fi
}

/* Our successor N is in, and it is known what became of the peer's: who is redundant? RFC 7296, 2.8.1 */
inline child_decide(P, N)
{
	other = C(P, N).old - 1;
	if
	:: C(P, other).st == CHILD_REKEYING -> child_move(P, other, CHILD_EV_REPLACED)
	:: else
	fi;
	C(P, other).mine = 0;
	if
	:: C(P, N).rival != 0 && OURS_REDUNDANT(low_child, P, N, C(P, N).rival) -> child_drop(P, N, 1)
	:: else ->
		if
		:: C(P, other).st == CHILD_REKEYED -> C(P, other).todo = !MUTANT(4)
		:: else
		fi;
		if
		:: C(P, N).rival != 0 -> child_drop(P, C(P, N).rival, 0)
		:: else
		fi
	fi;
	C(P, N).rival = 0;
	C(P, N).hold = 0
}

/* Our attempt N came to nothing: the peer's successor stands, if there is one, else what worked goes on. */
inline child_attempt_failed(P, N)
{
	if
	:: C(P, N).old != 0 ->
		other = C(P, N).old - 1;
		C(P, other).mine = 0;
		if
		:: C(P, other).st == CHILD_REKEYING && C(P, N).rival != 0 && LIVE(P, C(P, N).rival) ->
			child_move(P, other, CHILD_EV_REPLACED)
		:: C(P, other).st == CHILD_REKEYING && !(C(P, N).rival != 0 && LIVE(P, C(P, N).rival)) ->
			child_move(P, other, CHILD_EV_REKEY_FAILED)
		:: else
		fi
	:: else
	fi
}

/* The backend has our own new child N. */
inline child_ours_installed(P, N)
{
	child_move(P, N, CHILD_EV_INSTALL_OK);
	if
	:: C(P, N).old != 0 && C(P, N).rival != 0 && C(P, C(P, N).rival).st == CHILD_INSTALLING -> C(P, N).hold = 1
	:: C(P, N).old != 0 && !(C(P, N).rival != 0 && C(P, C(P, N).rival).st == CHILD_INSTALLING) -> child_decide(P, N)
	:: else
	fi
}

/* An attempt of ours was held until it is known what becomes of the peer's child K. */
inline child_release(P, K)
{
	for (i : 1 .. KIDS - 2) {
		if
		:: C(P, i).hold && C(P, i).rival == K ->
			if
			:: C(P, K).st != CHILD_INSTALLED -> C(P, i).rival = 0
			:: else
			fi;
			child_decide(P, i)
		:: else
		fi
	};
	i = 0
}

/* The backend has the peer's new child K, or refused it. */
inline child_theirs_installed(P, K)
{
	child_move(P, K, CHILD_EV_INSTALL_OK);
	if
	:: C(P, K).old != 0 ->
		other = C(P, K).old - 1;
		if
		:: C(P, other).st == CHILD_INSTALLED -> child_move(P, other, CHILD_EV_REPLACED)
		:: else
		fi;
		child_release(P, K)
	:: else
	fi
}

inline child_theirs_refused(P, K)
{
	child_move(P, K, CHILD_EV_INSTALL_FAILED);
	for (i : 1 .. KIDS - 2) {
		if
		:: C(P, i).rival == K && !C(P, i).hold -> C(P, i).rival = 0
		:: else
		fi
	}
	child_release(P, K);
	child_gone(P, K);
	C(P, K).st = 0
}

/* ---- a request arrives: P answers on G ---- */

#define QUERY half[(1 - p) * IKES + g]
#define NEW_REQUEST(P, G) (H(1 - (P), G).out_id != H(P, G).in_id)
#define BUSY(P, G) (H(P, G).parked_out || (H(P, G).wait && (H(P, G).out == K_DELETE_CHILD || \
	H(P, G).out == K_NEW_CHILD || H(P, G).out == K_REKEY_CHILD)) || RETRYING_ON(P, G))
#define RETRYING_CHILD(P, G, K) (C(P, K).st == CHILD_RETRYING && C(P, K).ike == G)
#define RETRYING_ON(P, G) (OTHER_KES && (RETRYING_CHILD(P, G, 1) || RETRYING_CHILD(P, G, 2) || \
	RETRYING_CHILD(P, G, KIDS - 2)))

/* The peer's child MAKES in place of ABOUT (KIDS: of none) is set up, as `choice` wants it. */
inline answer_child(P, G, ABOUT, MAKES)
{
	if
	:: answer == R_OK && choice == REFUSE -> answer = R_REFUSED
	:: answer == R_OK && choice == OTHER_KE -> answer = R_OTHER_KE
	:: answer == R_OK && choice != REFUSE && choice != OTHER_KE ->
		assert(C(P, MAKES).st == 0);
		C(P, MAKES).st = CHILD_CREATED;
		C(P, MAKES).ike = G;
		if
		:: ABOUT < KIDS ->
			C(P, MAKES).old = ABOUT + 1;
			if
			:: C(P, ABOUT).st == CHILD_REKEYING -> C(P, C(P, ABOUT).mine).rival = MAKES
			:: else
			fi
		:: else
		fi;
		child_move(P, MAKES, CHILD_EV_INSTALL);
		if
		:: ASYNC -> answer = 0; H(P, G).parked_in = 1
		:: !ASYNC && choice == BACKEND -> child_theirs_refused(P, MAKES); answer = R_REFUSED
		:: else -> child_theirs_installed(P, MAKES)
		fi
	:: else
	fi
}

inline answer_rekey_child(P, G, ABOUT, MAKES)
{
	/* of another IKE_SA, or none: not found */
	answer = cross_rekey_child[H(P, G).st * NAMES + (C(P, ABOUT).ike == G -> C(P, ABOUT).st : CHILD_DESTROYING)];
	if
	:: C(P, ABOUT).st == 0 -> answer = R_NOT_FOUND
	:: else
	fi;
	answer_child(P, G, ABOUT, MAKES)
}

inline answer_new_child(P, G, MAKES)
{
	answer = cross_create[H(P, G).st];
	answer_child(P, G, KIDS, MAKES)
}

inline answer_rekey_ike(P, G, MAKES)
{
	answer = cross_rekey_ike[H(P, G).st * 2 + (BUSY(P, G) -> 1 : 0)];
	if
	:: answer == R_OK && choice == REFUSE -> answer = R_REFUSED
	:: answer == R_OK && choice == OTHER_KE -> answer = R_OTHER_KE
	:: answer == R_OK && choice != REFUSE && choice != OTHER_KE ->
		assert(H(P, MAKES).st == 0);
		H(P, MAKES).st = IKE_CREATED;
		ike_move(P, MAKES, IKE_EV_INHERITED);
		if
		:: H(P, G).st == IKE_REKEYING ->
			H(P, G).rival = MAKES;
			H(P, MAKES).undecided = G + 1
		:: else ->
			children_go(P, G, MAKES);
			ike_move(P, G, IKE_EV_REPLACED)
		fi
	:: else
	fi
}

/*
 * The peer closed its successor before we had the answer that makes ours. While what both replace is still here, it gave it up:
 * ours is the only one. Else it closed both on purpose, and the nonces decide as if it were there.
 */
inline rival_closed(P, K)
{
	for (i : 1 .. KIDS - 2) {
		if
		:: K != 0 && C(P, i).rival == K && LIVE(P, (C(P, i).old - 1)) -> C(P, i).rival = 0
		:: else
		fi
	}
	i = 0
}

/* A Delete of a child: SAs that are not known are passed over (RFC 7296, 1.4.1 and 2.25.1). */
inline answer_delete_child(P, G, ABOUT)
{
	answer = R_EMPTY;
	if
	:: C(P, ABOUT).st == CHILD_CREATED && MAKER(ABOUT) == P && ABOUT != 0 && C(P, ABOUT).ike == G ->
		/* the answer that names it is still on its way */
		C(P, ABOUT).gone = !MUTANT(6)
	:: (LIVE(P, ABOUT) || C(P, ABOUT).st == CHILD_DELETING || C(P, ABOUT).st == CHILD_INSTALLING) && C(P, ABOUT).ike == G ->
		kind = C(P, ABOUT).st;
		child_move(P, ABOUT, CHILD_EV_DELETE_RECEIVED);
		if
		:: C(P, ABOUT).hold -> C(P, ABOUT).hold = 0
		:: else
		fi;
		if
		:: MAKER(ABOUT) == P && C(P, ABOUT).old != 0 && C(P, C(P, ABOUT).old - 1).mine == ABOUT ->
			child_attempt_failed(P, ABOUT)
		:: else ->
			if
			:: kind == CHILD_INSTALLED || kind == CHILD_REKEYING -> child_restore(P, ABOUT)
			:: else
			fi
		fi;
		rival_closed(P, ABOUT);
		child_closed(P, ABOUT)
	:: else
	fi
}

#if SETUP
#include "setup.pml"
#endif

inline answer_request(P, G)
{
	if
	:: H(P, G).undecided && QUERY.out != K_DELETE_IKE && !MUTANT(11) ->
		/* who uses a successor has decided */
		makes = H(P, G).undecided - 1;
		rival_wins(P, makes)
	:: else
	fi;
	H(P, G).in_id = H(1 - P, G).out_id;
	kind = QUERY.out;
	about = QUERY.about;
	makes = QUERY.makes;
	answer = 0;
	if
	:: choice == BAD ->
		excuse = 1;
		half_ends(P, G, IKE_EV_REFUSED);
		answer = R_BAD
#if SETUP
	:: choice != BAD && kind == K_AUTH -> answer_auth(P, G, makes)
#endif
	:: choice != BAD && kind == K_PROBE -> answer = R_EMPTY
	:: choice != BAD && kind == K_DELETE_IKE ->
		answer = R_EMPTY;
		half_ends(P, G, IKE_EV_DELETE_ANSWERED)
	:: choice != BAD && kind == K_DELETE_CHILD -> answer_delete_child(P, G, about)
	:: choice != BAD && kind == K_NEW_CHILD -> answer_new_child(P, G, makes)
	:: choice != BAD && kind == K_REKEY_CHILD -> answer_rekey_child(P, G, about, makes)
	:: choice != BAD && kind == K_REKEY_IKE -> answer_rekey_ike(P, G, makes)
	fi;
	if
	:: answer != 0 -> reply_with(P, G, answer)
	:: else
	fi
}

/* The packet has left the network; what a peer has forgotten is forgotten. */
inline request_landed(P, G)
{
	H(1 - P, G).fly = 0;
	if
	:: !H(1 - P, G).wait && !(H(1 - P, G).st == IKE_REKEYING && H(1 - P, G).out == K_REKEY_IKE) ->
		H(1 - P, G).out = 0; H(1 - P, G).about = 0; H(1 - P, G).makes = 0
	:: else
	fi
}

inline receive_request(P, G)
{
	if
	:: H(P, G).st == IKE_CLOSED ->
		if
		:: !NEW_REQUEST(P, G) && H(P, G).reply != 0 -> H(P, G).reply_fly = 1
		:: else
		fi
	:: ALIVE(P, G) && !NEW_REQUEST(P, G) ->
		if
		:: H(P, G).reply != 0 && !MUTANT(7) -> H(P, G).reply_fly = 1
		:: else
		fi
	:: ALIVE(P, G) && NEW_REQUEST(P, G) ->
		assert(may_come[H(P, G).st * NAMES + EXCHANGE(QUERY.out)]); /* no exchange is dropped for its state */
		answer_request(P, G)
#if SETUP
	:: H(P, G).st == 0 && QUERY.out == K_INIT && QUERY.wait -> answer_init(P, G)
	:: !(H(P, G).st == 0 && QUERY.out == K_INIT && QUERY.wait) && !ALIVE(P, G) && H(P, G).st != IKE_CLOSED ->
#else
	:: else ->
#endif
		/* RFC 6290: who has no such SA says so, if it has a secret to prove it with */
		if
		:: choice == BAD -> H(P, G).reply = R_TOKEN; H(P, G).reply_fly = 1
		:: else
		fi
	fi;
	request_landed(P, G)
}

/* ---- an answer arrives: P asked on G ---- */

inline take_rekey_child(P, G, ABOUT, MAKES)
{
	if
	:: answer == R_OK && C(P, MAKES).gone ->
		child_attempt_failed(P, MAKES);
		child_forget(P, MAKES, CHILD_EV_FAILED);
		C(P, MAKES).st = CHILD_DESTROYING
	:: answer == R_OK && !C(P, MAKES).gone ->
		child_move(P, MAKES, CHILD_EV_INSTALL);
		if
		:: ASYNC -> H(P, G).parked_out = 1
		:: !ASYNC && choice == BACKEND ->
			child_attempt_failed(P, MAKES);
			child_destroy(P, MAKES, CHILD_EV_INSTALL_FAILED);
			C(P, MAKES).ike = G;
			C(P, MAKES).todo = 1 /* the peer has it */
		:: else -> child_ours_installed(P, MAKES)
		fi
	:: answer == R_OTHER_KE -> child_move(P, MAKES, CHILD_EV_RETRY)
	:: answer == R_NOT_FOUND && C(P, MAKES).rival == 0 && C(P, ABOUT).st == CHILD_REKEYING ->
		/*
		 * RFC 7296, 2.25: it is deleted here, too. A new one is made unless there is one that it replaced: two peers
		 * that lose nothing always have that, but for limits that are reached meanwhile
		 */
		C(P, ABOUT).mine = 0;
		child_forget(P, MAKES, CHILD_EV_FAILED);
		child_move(P, ABOUT, CHILD_EV_LOST);
		child_restore(P, ABOUT);
		assert(other < KIDS || excuse || LIMITS);
		child_closed(P, ABOUT)
	:: else ->
		if
		:: answer == R_TEMPORARY && may_retry > 0 ->
			may_retry--;
			may_rekey_child[P]++
		:: else
		fi;
		child_attempt_failed(P, MAKES);
		child_forget(P, MAKES, CHILD_EV_FAILED)
	fi
}

inline take_new_child(P, G, MAKES)
{
	if
	:: answer == R_OK && C(P, MAKES).gone ->
		child_destroy(P, MAKES, CHILD_EV_FAILED)
	:: answer == R_OK && !C(P, MAKES).gone ->
		child_move(P, MAKES, CHILD_EV_INSTALL);
		if
		:: ASYNC -> H(P, G).parked_out = 1
		:: !ASYNC && choice == BACKEND ->
			child_destroy(P, MAKES, CHILD_EV_INSTALL_FAILED);
			C(P, MAKES).ike = G;
			C(P, MAKES).todo = 1
		:: else -> child_ours_installed(P, MAKES)
		fi
	:: answer == R_OTHER_KE -> child_move(P, MAKES, CHILD_EV_RETRY)
	:: else ->
		if
		:: answer == R_TEMPORARY && may_retry > 0 ->
			may_retry--;
			may_new_child[P]++
		:: else
		fi;
		child_forget(P, MAKES, CHILD_EV_FAILED)
	fi
}

inline ike_drop(P, G, OURS)
{
	ike_move(P, G, IKE_EV_REPLACED);
	H(P, G).todo = OURS
}

/* RFC 7296, 2.8.2: the children go to the one that is not redundant. */
inline take_successor(P, G, MAKES)
{
	H(P, MAKES).st = IKE_CREATED;
	ike_move(P, MAKES, IKE_EV_INHERITED);
	if
	:: H(P, G).st != IKE_REKEYING -> ike_drop(P, MAKES, 1) /* the peer has decided, by using the other */
	:: H(P, G).st == IKE_REKEYING && H(P, G).rival != 0 && OURS_REDUNDANT(low_ike, P, MAKES, H(P, G).rival) ->
		if
		:: HAS_RIVAL(P, G) -> rival_wins(P, G)
		:: else ->
			/* it was closed on purpose: the children would have gone with it */
			children_die(P, G);
			H(P, G).rival = 0;
			ike_move(P, G, IKE_EV_REPLACED)
		fi;
		ike_drop(P, MAKES, 1)
	:: else ->
		other = H(P, G).rival;
		H(P, G).rival = 0;
		if
		:: other != 0 ->
			H(P, other).undecided = 0;
			if
			:: H(P, other).st == IKE_ESTABLISHED && !MUTANT(8) -> ike_drop(P, other, 0)
			:: else
			fi
		:: else
		fi;
		children_go(P, G, MAKES);
		ike_move(P, G, IKE_EV_REPLACED);
		H(P, G).todo = 1
	fi
}

inline take_rekey_ike(P, G, MAKES)
{
	if
	:: answer == R_OK -> take_successor(P, G, MAKES)
	:: answer == R_OTHER_KE -> skip /* asked again, in REKEYING */
	:: else ->
		if
		:: answer == R_TEMPORARY && may_retry > 0 ->
			may_retry--;
			may_rekey_ike[P]++
		:: else
		fi;
		if
		:: H(P, G).st == IKE_REKEYING && HAS_RIVAL(P, G) -> rival_wins(P, G)
		:: H(P, G).st == IKE_REKEYING && !HAS_RIVAL(P, G) ->
			ike_move(P, G, IKE_EV_REKEY_FAILED);
			H(P, G).rival = 0
		:: else
		fi
	fi
}

inline take_delete_child(P, G, ABOUT)
{
	if
	:: C(P, ABOUT).st == CHILD_DELETING ->
		child_move(P, ABOUT, CHILD_EV_DELETE_DONE);
		child_closed(P, ABOUT)
	:: else /* deletes crossed: all is done */
	fi
}

inline take_answer(P, G)
{
	printf("%d: on IKE_SA %d: has the answer %e\n", P, G, H(1 - P, G).reply);
	kind = H(P, G).out;
	about = H(P, G).about;
	makes = H(P, G).makes;
	answer = H(1 - P, G).reply;
	if
	:: !(answer == R_OTHER_KE && kind == K_REKEY_IKE) -> forget_request(P, G)
	:: else -> H(P, G).wait = 0; H(P, G).tries = 0
	fi;
	if
	:: answer == R_BAD ->
		half_ends(P, G, IKE_EV_FAILED)
#if SETUP
	:: answer != R_BAD && kind == K_INIT -> take_init(P, G)
	:: answer != R_BAD && kind == K_AUTH -> take_auth(P, G, makes)
#endif
	:: answer != R_BAD && kind == K_PROBE
	:: answer != R_BAD && kind == K_DELETE_IKE ->
		half_ends(P, G, IKE_EV_DELETE_ACKED)
	:: answer != R_BAD && kind == K_DELETE_CHILD -> take_delete_child(P, G, about)
	:: answer != R_BAD && kind == K_NEW_CHILD -> take_new_child(P, G, makes)
	:: answer != R_BAD && kind == K_REKEY_CHILD -> take_rekey_child(P, G, about, makes)
	:: answer != R_BAD && kind == K_REKEY_IKE -> take_rekey_ike(P, G, makes)
	fi
}

inline receive_reply(P, G)
{
	H(1 - P, G).reply_fly = 0;
	if
	:: H(1 - P, G).reply == R_TOKEN ->
		if
		:: ALIVE(P, G) ->
			/* whoever proves that it has no such SA will never have it */
			assert(!ALIVE(1 - P, G) && !EXPECTED(1 - P, G));
			half_ends(P, G, IKE_EV_SILENT)
		:: else
		fi
	:: H(1 - P, G).reply != R_TOKEN && ALIVE(P, G) && H(P, G).wait && H(P, G).out_id == H(1 - P, G).in_id ->
		take_answer(P, G)
	:: else
	fi;
	if
	:: H(1 - P, G).st == IKE_DESTROYING -> H(1 - P, G).reply = 0
	:: else
	fi
}

/* ---- what an IKE_SA does of itself ---- */

#define MATCHES(P, G) (ALIVE(P, G) && H(P, G).wait && H(P, G).out_id == H(1 - (P), G).in_id)
#define MAKES_CHILD(K) (K == K_NEW_CHILD || K == K_REKEY_CHILD)
#define ASKS_NOW(P, G) (ALIVE(P, G) && NEW_REQUEST(P, G))

/* The responder is established first: what it asks has to wait for its IKE_AUTH response. */
#define TOO_EARLY(P, G) (SETUP && H(P, G).st == IKE_CONNECTING && QUERY.out != K_AUTH && QUERY.out != K_INIT)

/* How a request is taken that could be done as asked. */
inline choose_answer(P, G)
{
	if
	:: choice = FINE
	:: may_refuse > 0 && ASKS_NOW(P, G) && EXCHANGE(QUERY.out) == X_CREATE -> choice = REFUSE; may_refuse--
#if SETUP
	:: may_refuse > 0 && H(P, G).st == 0 && QUERY.out == K_INIT -> choice = REFUSE; may_refuse--
	:: may_refuse > 0 && ASKS_NOW(P, G) && QUERY.out == K_AUTH -> choice = REFUSE; may_refuse--
	:: may_break > 0 && ASKS_NOW(P, G) && QUERY.out == K_AUTH -> choice = BACKEND; may_break--
#endif
	:: may_other_ke > 0 && ASKS_NOW(P, G) && EXCHANGE(QUERY.out) == X_CREATE -> choice = OTHER_KE; may_other_ke--
	:: !ASYNC && may_break > 0 && ASKS_NOW(P, G) && MAKES_CHILD(QUERY.out) -> choice = BACKEND; may_break--
	:: may_bad > 0 && ASKS_NOW(P, G) -> choice = BAD; may_bad--
	:: TOKENS && !ALIVE(P, G) && H(P, G).st != IKE_CLOSED -> choice = BAD
	fi
}

/* Nonces are known as soon as requests have crossed; which is lowest is anyone's guess. (No hidden index here: it is undone.) */
#define CROSSING(P, MINE, THEIRS) (P == 0 -> PAIR(MINE, THEIRS) : PAIR(THEIRS, MINE))
#define CROSSING_CHILD(P, G) CROSSING(P, C(P, QUERY.about).mine, QUERY.makes)
#define CROSSING_IKE(P, G) CROSSING(P, H(P, G).makes, QUERY.makes)

inline choose_nonces(P, G)
{
	if
	:: ASKS_NOW(P, G) && QUERY.out == K_REKEY_CHILD && C(P, QUERY.about).st == CHILD_REKEYING &&
	   low_child[CROSSING_CHILD(P, G)] == 0 ->
		if
		:: low_child[CROSSING_CHILD(P, G)] = 1
		:: low_child[CROSSING_CHILD(P, G)] = 2
		fi
	:: ASKS_NOW(P, G) && QUERY.out == K_REKEY_IKE && H(P, G).st == IKE_REKEYING && low_ike[CROSSING_IKE(P, G)] == 0 ->
		if
		:: low_ike[CROSSING_IKE(P, G)] = 1
		:: low_ike[CROSSING_IKE(P, G)] = 2
		fi
	:: else
	fi
}

inline choose_backend(P, G)
{
	if
	:: choice = FINE
	:: !ASYNC && may_break > 0 && MATCHES(P, G) && H(1 - P, G).reply == R_OK && MAKES_CHILD(H(P, G).out) ->
		choice = BACKEND;
		may_break--
#if SETUP
	:: may_bad > 0 && MATCHES(P, G) && H(P, G).out == K_AUTH && H(1 - P, G).reply != R_BAD -> choice = BAD; may_bad--
#endif
	fi
}

inline packet_lost()
{
	may_lose--;
	lost++;
	if
	:: lost > TRIES -> excuse = 1; uprooted = 1
	:: else
	fi
}

#define UNANSWERED(P, G) (ALIVE(P, G) && H(P, G).wait && !H(P, G).fly && !H(1 - (P), G).reply_fly && !H(1 - (P), G).parked_in)
#define FREE_IKE(N) (N < IKES && H(0, N).st == 0 && H(1, N).st == 0)
#define FREE_CHILD(N) (N < KIDS - 1 && C(0, N).st == 0 && C(1, N).st == 0)
#define TODO(P, K, G) (K < KIDS && C(P, K).todo && C(P, K).ike == G)
#define TODO_ON(P, G) (TODO(P, 0, G) || TODO(P, 1, G) || TODO(P, 2, G) || TODO(P, (3 % KIDS), G) || TODO(P, (4 % KIDS), G))
/* Nothing is under way, and the queue is empty: deletes come first. */
#define AT_EASE(P, G) (H(P, G).st == IKE_ESTABLISHED && IDLE(P, G) && !H(P, G).todo && !RETRYING_ON(P, G) && !TODO_ON(P, G))

proctype ike_lives(byte p; byte g)
{
end:	do
	/* the network */
	:: atomic { QUERY.fly && !H(p, g).parked_in && (MUTANT(9) || !EXPECTED(p, g)) && !TOO_EARLY(p, g) ->
		choose_answer(p, g); choose_nonces(p, g); d_step { receive_request(p, g) } }
	:: atomic { QUERY.reply_fly ->
		choose_backend(p, g); d_step { receive_reply(p, g) } }
	:: d_step { may_lose > 0 && QUERY.fly -> packet_lost(); request_landed(p, g) }
	:: d_step { may_lose > 0 && QUERY.reply_fly -> packet_lost(); QUERY.reply_fly = 0 }
	/* a late copy of the last request arrives */
	:: d_step { may_repeat > 0 && (ALIVE(p, g) || H(p, g).st == IKE_CLOSED) && H(p, g).reply != 0 && !H(p, g).reply_fly &&
		!H(p, g).parked_in ->
		may_repeat--;
		H(p, g).reply_fly = 1 }
	/* time */
	:: d_step { UNANSWERED(p, g) && H(p, g).tries < TRIES -> H(p, g).tries++; H(p, g).fly = 1 }
	:: d_step { UNANSWERED(p, g) && H(p, g).tries == TRIES ->
		/* law 4: one packet that is lost ends nothing. A Delete may remain without an answer, if nobody is there */
		assert(excuse || H(p, g).st == IKE_DELETING || (SETUP && may_refuse < REFUSALS && H(p, g).st == IKE_CONNECTING));
		/* what was taken is answered, and the answer kept for repeats */
		assert(uprooted || H(p, g).out == K_INIT || NEW_REQUEST(1 - p, g));
		excuse = excuse || H(p, g).st == IKE_CONNECTING;
		half_ends(p, g, IKE_EV_SILENT) }
	/* closed_linger is longer than the peer needs for a repeat */
	:: d_step { H(p, g).st == IKE_CLOSED && !(ALIVE(1 - p, g) && H(1 - p, g).wait && !NEW_REQUEST(p, g)) ->
		half_ends(p, g, IKE_EV_LINGERED) }
	:: d_step { excuse && H(p, g).st == IKE_ESTABLISHED && IDLE(p, g) && !ALIVE(1 - p, g) && !EXPECTED(1 - p, g) &&
		MAY_GO(p, g, X_INFO) ->
		ask(p, g, K_PROBE, 0, 0) }
	/* rekeying */
	:: d_step { may_rekey_ike[p] > 0 && AT_EASE(p, g) && !H(p, g).undecided && MAY_GO(p, g, X_CREATE) &&
		FREE_IKE(1 + p) ->
		may_rekey_ike[p]--;
		ike_move(p, g, IKE_EV_REKEY_SENT);
		ask(p, g, K_REKEY_IKE, g, 1 + p) }
	:: d_step { H(p, g).st == IKE_REKEYING && H(p, g).out == K_REKEY_IKE && IDLE(p, g) && MAY_GO(p, g, X_CREATE) ->
		ask(p, g, K_REKEY_IKE, g, H(p, g).makes) }
	/* deleting: by plan; what was replaced and nobody closes; on purpose */
	:: d_step { H(p, g).todo && H(p, g).st == IKE_REKEYED && IDLE(p, g) && MAY_GO(p, g, X_INFO) ->
		ike_move(p, g, IKE_EV_DELETE_SENT);
		ask(p, g, K_DELETE_IKE, 0, 0) }
	:: d_step { H(p, g).st == IKE_REKEYED && !H(p, g).todo && H(1 - p, g).st != IKE_REKEYING && !H(p, g).reply_fly ->
		half_ends(p, g, IKE_EV_DESTROY) }
	:: d_step { may_delete_ike[p] > 0 && AT_EASE(p, g) && MAY_GO(p, g, X_INFO) ->
		may_delete_ike[p]--;
		wish_ike = 1;
		ike_move(p, g, IKE_EV_DELETE_SENT);
		ask(p, g, K_DELETE_IKE, 0, 0) }
	/* by force, without a word */
	:: d_step { may_force > 0 && (ALIVE(p, g) || H(p, g).st == IKE_CLOSED) ->
		may_force--;
		excuse = 1;
		uprooted = 1;
		other = H(p, g).rival;
		H(p, g).rival = 0;
		if
		:: other != 0 && H(p, other).st == IKE_ESTABLISHED ->
			H(p, other).undecided = 0;
			half_ends(p, other, IKE_EV_DESTROY)
		:: else
		fi;
		half_ends(p, g, IKE_EV_DESTROY) }
	od
}

#if SETUP
proctype setup_lives()
{
end:	do
	:: d_step { H(0, 0).st == IKE_CREATED -> ike_move(0, 0, IKE_EV_INITIATE); ask(0, 0, K_INIT, 0, 0) }
	:: d_step { H(0, 0).st == IKE_CREATED && may_force > 0 ->
		may_force--;
		excuse = 1;
		uprooted = 1;
		half_ends(0, 0, IKE_EV_DESTROY) }
	:: d_step { H(0, 0).st == IKE_CREATED && may_break > 0 ->
		may_break--;
		excuse = 1;
		half_ends(0, 0, IKE_EV_FAILED) }
	:: d_step { may_attempt > 0 && H(0, 0).st == IKE_CONNECTING && H(1, 0).st != IKE_ESTABLISHED && UNANSWERED(0, 0) &&
		H(0, 0).tries == TRIES ->
		begin_again(0, 0) }
	/* half open for too long */
	:: d_step { H(1, 0).st == IKE_CONNECTING && H(0, 0).st != IKE_CONNECTING && !H(0, 0).fly ->
		half_ends(1, 0, IKE_EV_SILENT) }
	od
}
#endif

/* ---- what a CHILD_SA does ---- */

#define OWNER(P, K) C(P, K).ike
#define CARRIES(P, K) ((C(P, K).st == CHILD_INSTALLED || C(P, K).st == CHILD_REKEYING || C(P, K).st == CHILD_REKEYED) && \
	!C(P, K).mute && !(K != 0 && K != BYSTANDER && MAKER(K) != P && C(P, K).old != 0 && LIVE(P, C(P, K).old - 1)))
#define RECEIVES(P, K) (LIVE(P, K) || C(P, K).st == CHILD_DELETING || C(P, K).st == CHILD_DELETED || \
	C(P, K).st == CHILD_INSTALLING)

inline backend_done(P, K)
{
	if
	:: MAKER(K) == P && choice == FINE ->
		H(P, OWNER(P, K)).parked_out = 0;
		child_ours_installed(P, K)
	:: MAKER(K) == P && choice != FINE ->
		makes = OWNER(P, K);
		H(P, makes).parked_out = 0;
		child_attempt_failed(P, K);
		child_destroy(P, K, CHILD_EV_INSTALL_FAILED);
		C(P, K).ike = makes;
		C(P, K).todo = 1
	:: MAKER(K) != P && choice == FINE ->
		H(P, OWNER(P, K)).parked_in = 0;
		reply_with(P, OWNER(P, K), R_OK);
		child_theirs_installed(P, K)
	:: MAKER(K) != P && choice != FINE ->
		H(P, OWNER(P, K)).parked_in = 0;
		reply_with(P, OWNER(P, K), R_REFUSED);
		child_theirs_refused(P, K)
	fi
}

inline child_ask_again(P, K)
{
	if
	:: C(P, K).old != 0 && C(P, C(P, K).old - 1).st != CHILD_REKEYING ->
		/* closed meanwhile */
		child_attempt_failed(P, K);
		child_forget(P, K, CHILD_EV_FAILED)
	:: C(P, K).old != 0 && C(P, C(P, K).old - 1).st == CHILD_REKEYING ->
		child_move(P, K, CHILD_EV_RETRIED);
		ask(P, OWNER(P, K), K_REKEY_CHILD, C(P, K).old - 1, K)
	:: else ->
		child_move(P, K, CHILD_EV_RETRIED);
		ask(P, OWNER(P, K), K_NEW_CHILD, 0, K)
	fi
}

#define NEXT_CHILD(P) (FREE_CHILD(1 + P) -> 1 + P : 3 + P)
#define CHILD_AT_EASE(P, K) (AT_EASE(P, OWNER(P, K)) && !H(P, OWNER(P, K)).undecided)

inline child_begin(P, N, G, OLD)
{
	C(P, N).st = CHILD_CREATED;
	C(P, N).ike = G;
	C(P, N).old = OLD
}

proctype child_lives(byte p; byte k)
{
	byte n;

end:	do
	:: d_step { may_rekey_child[p] > 0 && k != BYSTANDER && C(p, k).st == CHILD_INSTALLED && !C(p, k).todo && CHILD_AT_EASE(p, k) &&
		MAY_GO(p, OWNER(p, k), X_CREATE) && FREE_CHILD(NEXT_CHILD(p)) ->
		n = NEXT_CHILD(p);
		may_rekey_child[p]--;
		child_begin(p, n, OWNER(p, k), k + 1);
		child_move(p, k, CHILD_EV_REKEY_SENT);
		C(p, k).mine = n;
		ask(p, OWNER(p, k), K_REKEY_CHILD, k, n);
		n = 0 }
	:: d_step { k == 0 && may_new_child[p] > 0 && AT_EASE(p, 0) && MAY_GO(p, 0, X_CREATE) && FREE_CHILD(NEXT_CHILD(p)) ->
		n = NEXT_CHILD(p);
		may_new_child[p]--;
		child_begin(p, n, 0, 0);
		ask(p, 0, K_NEW_CHILD, 0, n);
		n = 0 }
	:: d_step { C(p, k).st == CHILD_RETRYING && H(p, OWNER(p, k)).st == IKE_ESTABLISHED && IDLE(p, OWNER(p, k)) &&
		MAY_GO(p, OWNER(p, k), X_CREATE) ->
		child_ask_again(p, k) }
	/* deleting: by plan; what was replaced and nobody closes; on purpose */
	:: d_step { may_limit > 0 && C(p, k).st == CHILD_REKEYED && !C(p, k).todo -> may_limit--; wish_child = 1; C(p, k).todo = 1 }
	:: d_step { C(p, k).todo && (C(p, k).st == CHILD_INSTALLED || C(p, k).st == CHILD_REKEYED) &&
		H(p, OWNER(p, k)).st == IKE_ESTABLISHED && IDLE(p, OWNER(p, k)) && MAY_GO(p, OWNER(p, k), X_INFO) ->
		C(p, k).todo = 0;
		child_move(p, k, CHILD_EV_DELETE_SENT);
		ask(p, OWNER(p, k), K_DELETE_CHILD, k, 0) }
	:: d_step { C(p, k).todo && C(p, k).st == CHILD_DESTROYING && H(p, OWNER(p, k)).st == IKE_ESTABLISHED && IDLE(p, OWNER(p, k)) &&
		MAY_GO(p, OWNER(p, k), X_INFO) ->
		ask(p, OWNER(p, k), K_DELETE_CHILD, k, 0);
		child_gone(p, k) }
	:: d_step { may_delete_child[p] > 0 && k != BYSTANDER && C(p, k).st == CHILD_INSTALLED && !C(p, k).todo &&
		CHILD_AT_EASE(p, k) && MAY_GO(p, OWNER(p, k), X_INFO) ->
		may_delete_child[p]--;
		wish_child = 1;
		if
		:: C(p, k).old != 0 && C(p, C(p, k).old - 1).st == CHILD_REKEYED -> C(p, C(p, k).old - 1).todo = 1
		:: else
		fi;
		C(p, k).todo = 0;
		child_move(p, k, CHILD_EV_DELETE_SENT);
		ask(p, OWNER(p, k), K_DELETE_CHILD, k, 0) }
	/* late packets had their time: they fly for less than that */
	:: d_step { LINGER && C(p, k).st == CHILD_DELETED && esp[1 - p] != k + 1 ->
		child_destroy(p, k, CHILD_EV_DESTROY) }
	:: atomic { ASYNC && C(p, k).st == CHILD_INSTALLING ->
		if
		:: choice = FINE
		:: may_break > 0 -> choice = BACKEND; may_break--
		fi;
		d_step { backend_done(p, k) } }
	/* traffic */
	:: d_step { may_send_esp[p] > 0 && esp[p] == 0 && CARRIES(p, k) -> may_send_esp[p]--; esp[p] = k + 1 }
	:: d_step { esp[p] == k + 1 ->
		assert(RECEIVES(1 - p, k)); /* rekeying loses no packet */
		esp[p] = 0 }
	od
}

/* ---- rules and rows bent, to see that it is noticed; runs.py lists what each is ---- */

inline mutate()
{
#ifdef MUTANTS
	if
	:: mutant == 20 -> cross_rekey_child[IKE_ESTABLISHED * NAMES + CHILD_REKEYING] = R_NOT_FOUND
	:: mutant == 21 -> cross_rekey_child[IKE_ESTABLISHED * NAMES + CHILD_DELETING] = R_OK
	:: mutant == 22 -> cross_rekey_child[IKE_ESTABLISHED * NAMES + CHILD_DELETING] = R_NOT_FOUND
	:: mutant == 23 -> cross_rekey_child[IKE_ESTABLISHED * NAMES + CHILD_CREATED] = R_NOT_FOUND
	:: mutant == 24 -> cross_rekey_child[IKE_ESTABLISHED * NAMES + CHILD_REKEYED] = R_OK
	:: mutant == 25 -> cross_rekey_child[IKE_REKEYING * NAMES + CHILD_INSTALLED] = R_OK
	:: mutant == 26 -> cross_create[IKE_REKEYING] = R_OK
	:: mutant == 27 -> cross_rekey_ike[IKE_ESTABLISHED * 2 + 1] = R_OK
	:: mutant == 28 -> cross_rekey_ike[IKE_REKEYED * 2] = R_OK
	:: mutant == 29 -> cross_rekey_ike[IKE_DELETING * 2] = R_OK
	:: mutant == 30 -> may_come[IKE_REKEYING * NAMES + X_INFO] = 0
	:: mutant == 31 -> may_come[IKE_DELETING * NAMES + X_CREATE] = 0
	:: mutant == 32 -> may_go[IKE_REKEYED * NAMES + X_INFO] = 0
	:: mutant == 33 -> ike_next[IKE_REKEYING * NAMES + IKE_EV_REKEY_FAILED] = IKE_DESTROYING
	:: mutant == 34 -> ike_next[IKE_ESTABLISHED * NAMES + IKE_EV_DELETE_ANSWERED] = IKE_DESTROYING
	:: mutant == 35 -> ike_next[IKE_REKEYING * NAMES + IKE_EV_REPLACED] = IKE_ESTABLISHED
	:: mutant == 36 -> ike_next[IKE_DELETING * NAMES + IKE_EV_DELETE_ANSWERED] = IKE_DELETING
	:: mutant == 37 -> child_next[CHILD_REKEYING * NAMES + CHILD_EV_REKEY_FAILED] = CHILD_REKEYED
	:: mutant == 38 -> child_next[CHILD_REKEYING * NAMES + CHILD_EV_DELETE_RECEIVED] = CHILD_INSTALLED
	:: mutant == 39 -> child_next[CHILD_DELETING * NAMES + CHILD_EV_DELETE_RECEIVED] = CHILD_DELETING
	:: mutant == 40 -> child_next[CHILD_INSTALLED * NAMES + CHILD_EV_REPLACED] = CHILD_INSTALLED
	:: mutant == 41 -> ike_next[IKE_CONNECTING * NAMES + IKE_EV_REFUSED] = IKE_DESTROYING
	:: mutant == 42 -> may_come[IKE_REKEYED * NAMES + X_CREATE] = 0
	:: mutant == 43 -> may_go[IKE_REKEYING * NAMES + X_CREATE] = 0
	:: mutant == 44 -> cross_create[IKE_DELETING] = R_OK
	:: else
	fi
#else
	skip
#endif
}

/* ---- a restart, and the end ---- */

/* All that peer 1 knew is gone; it remembers nothing and says nothing. */
inline restart()
{
	for (i : 0 .. IKES - 1) {
		H(1, i).st = IKE_DESTROYING;
		forget_request(1, i);
		H(1, i).rival = 0; H(1, i).undecided = 0; H(1, i).todo = 0;
		H(1, i).parked_out = 0; H(1, i).parked_in = 0;
		if
		:: !H(1, i).reply_fly -> H(1, i).reply = 0
		:: else
		fi
	}
	for (i : 0 .. KIDS - 1) {
		child_gone(1, i);
		C(1, i).st = CHILD_DESTROYING
	};
	i = 0
}

#define OVER(STATE, GONE) (STATE == 0 || STATE == GONE)

/* Nothing can happen any more: what must be true then. */
inline check_end()
{
	kind = 0; /* IKE_SAs */
	about = 0; /* children but the bystander */
	for (i : 0 .. IKES - 1) {
		assert(!H(0, i).wait && !H(1, i).wait); /* nobody waits */
		assert(H(0, i).st == IKE_ESTABLISHED || OVER(H(0, i).st, IKE_DESTROYING)); /* no half is stuck or leaks */
		assert(H(1, i).st == IKE_ESTABLISHED || OVER(H(1, i).st, IKE_DESTROYING));
		assert((H(0, i).st == IKE_ESTABLISHED) == (H(1, i).st == IKE_ESTABLISHED)); /* both have it, or none */
		kind = kind + (H(0, i).st == IKE_ESTABLISHED)
	}
	for (i : 0 .. KIDS - 1) {
		assert(C(0, i).st == CHILD_INSTALLED || OVER(C(0, i).st, CHILD_DESTROYING));
		assert(C(1, i).st == CHILD_INSTALLED || OVER(C(1, i).st, CHILD_DESTROYING));
		assert((C(0, i).st == CHILD_INSTALLED) == (C(1, i).st == CHILD_INSTALLED));
		assert(C(0, i).st != CHILD_INSTALLED || C(0, i).ike == C(1, i).ike);
		assert(C(0, i).st != CHILD_INSTALLED || H(0, C(0, i).ike).st == IKE_ESTABLISHED);
		about = about + (i != BYSTANDER && C(0, i).st == CHILD_INSTALLED)
	}
	assert(kind <= 1); /* one at most survives a collision */
	assert(kind == 1 || wish_ike || excuse); /* law 1, law 4: none ends for what happens to others */
	assert(SETUP || (C(0, BYSTANDER).st == CHILD_INSTALLED) == (kind == 1)); /* law 1: siblings stay */
	assert(NEW_CHILDREN || about <= 1);
	assert(about >= 1 || wish_child || kind == 0 || (SETUP && may_refuse + may_break < REFUSALS + BREAKS)) /* what worked goes on when rekeying fails */
}

init
{
	atomic {
#ifdef MUTANTS
		c_code {
			mutant = getenv("MODEL_MUTANT") ? atoi(getenv("MODEL_MUTANT")) : 0;
			row_cut = getenv("MODEL_ROW") ? atoi(getenv("MODEL_ROW")) : 0;
		};
#endif
		d_step {
			tables_fill();
			bounds_fill();
			mutate();
			if
			:: SETUP -> H(0, 0).st = IKE_CREATED
			:: else ->
				for (i : 0 .. 1) {
					H(i, 0).st = IKE_ESTABLISHED;
					C(i, 0).st = CHILD_INSTALLED;
					C(i, BYSTANDER).st = CHILD_INSTALLED
				}
			fi;
			i = 0
		}
#if SETUP
		run setup_lives();
#endif
		choice = 0;
		do
		:: choice < IKES -> run ike_lives(0, choice); run ike_lives(1, choice); choice++
		:: else -> break
		od;
		choice = 0;
		do
		:: choice < KIDS -> run child_lives(0, choice); run child_lives(1, choice); choice++
		:: else -> break
		od
	}
end:	do
	:: d_step { may_restart > 0 -> may_restart--; excuse = 1; uprooted = 1; restart() }
	:: TRAFFIC && !CARRIES(0, 0) && !CARRIES(0, 1) && !CARRIES(0, KIDS - 2) -> assert(false) /* at no moment without an SA */
	:: TRAFFIC && !CARRIES(1, 0) && !CARRIES(1, 1) && !CARRIES(1, KIDS - 2) -> assert(false)
	:: timeout -> atomic { check_end(); break }
	od
}
