// Package token is about access tokens: they are signed, verified, remembered and revoked here. It knows no domain, no
// refresh token and no database: keys come from a [KeySource], and what to revoke is told by who owns the sessions.
//
// A token is a JWT (RFC 7519) in the shape of RFC 9068, without client_id since there are no OAuth clients: typ is at+jwt,
// alg is ES256 and nothing else. It lives for [Lifetime] and says who the person is, in which session, with which roles
// and how they proved it. A [Verifier] checks it in this process, without asking anybody, and remembers what it verified.
//
// # How long a revoked token may still work
//
// [Revocations.EndSessions] and [Revocations.Outdate], called after the commit, work at once in the process that calls
// them. All other processes hear of it by a message of Redis, normally within milliseconds. A process refuses to trust its
// ear for longer than a second:
//   - every 0.3 s it asks Redis for an answer on the connection of its subscription, and the answer proves that everything
//     sent before the question was heard. While the last proven moment is less than 0.9 s ago, a check is a look into a map;
//   - when it is longer ago, or the subscription broke, each check asks Redis itself (one round trip, 100 ms at most);
//   - each new subscription first loads all revocations that Redis has.
//
// So a revocation that reached Redis holds in every process within a second. What remains:
//   - while Redis is away tokens still work, for [Lifetime] at most since nobody gets new ones for an ended session. Each
//     such check counts in mindspace_token_unchecked_total, and the log has one warning for each outage;
//   - a revocation that cannot be sent is kept and sent when Redis is back. If the process dies before, and for a Redis
//     that lost its data, every process with RevocationsConfig.Recent, thus with the database at hand, fills Redis from
//     there: at each new subscription and each minute. Without Redis such a process reads it each minute for itself;
//   - the same holds for a process that dies between its commit and the call.
//
// Times of several processes are compared with each other, so clocks may differ by [Leeway]. To outdate exactly the tokens
// that say what no longer holds, IssuedAt and the time given to Outdate should come from one clock, such as that of the
// database, and IssuedAt should be taken before reading what the token says: else a token that says the old thing
// could be newer than the change.
package token
