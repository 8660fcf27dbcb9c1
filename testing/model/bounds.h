/* SPDX-License-Identifier: Apache-2.0 */
/* What a run may do, each given by -D; see runs.py. */
#ifndef IKES
#define IKES 1 /* IKE_SAs: the first, then one for each peer's successor */
#endif
#ifndef KIDS
#define KIDS 4 /* CHILD_SAs: the first, successors in turn, the bystander */
#endif
#ifndef TRIES
#define TRIES 1 /* retransmissions */
#endif
#ifndef ASYNC
#define ASYNC 0 /* the backend takes its time */
#endif
#ifndef LINGER
#define LINGER 0 /* closed children stay a while */
#endif
#ifndef TOKENS
#define TOKENS 0 /* RFC 6290 */
#endif
#ifndef TRAFFIC
#define TRAFFIC 0
#endif
#ifndef LOSE
#define LOSE 0
#endif
#ifndef REPEAT
#define REPEAT 0
#endif
#ifndef REKEY_CHILD0
#define REKEY_CHILD0 0
#endif
#ifndef REKEY_CHILD1
#define REKEY_CHILD1 0
#endif
#ifndef DELETE_CHILD0
#define DELETE_CHILD0 0
#endif
#ifndef DELETE_CHILD1
#define DELETE_CHILD1 0
#endif
#ifndef NEW_CHILD0
#define NEW_CHILD0 0
#endif
#ifndef NEW_CHILD1
#define NEW_CHILD1 0
#endif
#define NEW_CHILDREN (NEW_CHILD0 + NEW_CHILD1)
#ifndef REKEY_IKE0
#define REKEY_IKE0 0
#endif
#ifndef REKEY_IKE1
#define REKEY_IKE1 0
#endif
#ifndef DELETE_IKE0
#define DELETE_IKE0 0
#endif
#ifndef DELETE_IKE1
#define DELETE_IKE1 0
#endif
#ifndef REFUSALS
#define REFUSALS 0 /* requests for SAs that are refused */
#endif
#ifndef BREAKS
#define BREAKS 0 /* SAs that the backend does not take */
#endif
#ifndef BADS
#define BADS 0 /* requests that the other side finds to break the protocol */
#endif
#ifndef FORCES
#define FORCES 0 /* IKE_SAs removed without telling the peer */
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef OTHER_KES
#define OTHER_KES 0 /* INVALID_KE_PAYLOAD */
#endif
#ifndef RETRIES
#define RETRIES 0 /* after TEMPORARY_FAILURE */
#endif
#ifndef LIMITS
#define LIMITS 0 /* replaced children that reach their hard limit */
#endif
#ifndef SETUP
#define SETUP 0 /* begin with IKE_SA_INIT */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 0 /* keyingtries */
#endif

inline bounds_fill()
{
	may_rekey_child[0] = REKEY_CHILD0; may_rekey_child[1] = REKEY_CHILD1;
	may_delete_child[0] = DELETE_CHILD0; may_delete_child[1] = DELETE_CHILD1;
	may_new_child[0] = NEW_CHILD0; may_new_child[1] = NEW_CHILD1;
	may_rekey_ike[0] = REKEY_IKE0; may_rekey_ike[1] = REKEY_IKE1;
	may_delete_ike[0] = DELETE_IKE0; may_delete_ike[1] = DELETE_IKE1;
	may_lose = LOSE; may_repeat = REPEAT; may_refuse = REFUSALS; may_break = BREAKS; may_bad = BADS;
	may_force = FORCES; may_restart = RESTARTS; may_other_ke = OTHER_KES; may_retry = RETRIES;
	may_limit = LIMITS; may_attempt = ATTEMPTS;
	may_send_esp[0] = TRAFFIC; may_send_esp[1] = TRAFFIC
}
