-- +goose Up
CREATE SCHEMA auth;

-- Who a person is to us: how they are reached, and whether they may sign in.
CREATE TABLE auth.accounts (
    id                uuid        NOT NULL PRIMARY KEY,
    -- Canonical: lower case, the domain in ASCII (services/auth/email.go).
    email             text        NOT NULL,
    email_verified_at timestamptz,
    -- Argon2id as a PHC string; null for a person who signs in by other means.
    password_hash     text,
    password_set_at   timestamptz,
    -- What was said at sign-up: mails are written in this language.
    display_name      text        NOT NULL,
    locale            text        NOT NULL,
    time_zone         text        NOT NULL,
    state             text        NOT NULL DEFAULT 'active',
    -- A login of the demo, whose password is public: production lets none in.
    demo              boolean     NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL,
    -- Access tokens from before are refused: the roles or the second factor have changed since.
    outdated_at       timestamptz,
    CONSTRAINT accounts_email_key UNIQUE (email),
    CONSTRAINT accounts_email_length CHECK (length(email) BETWEEN 3 AND 254),
    CONSTRAINT accounts_password CHECK ((password_hash IS NULL) = (password_set_at IS NULL)),
    CONSTRAINT accounts_state CHECK (state IN ('active', 'suspended'))
);
COMMENT ON COLUMN auth.accounts.id IS 'person';
CREATE INDEX accounts_outdated_at ON auth.accounts (outdated_at) WHERE outdated_at IS NOT NULL;

CREATE TABLE auth.staff_roles (
    account_id uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    role       text        NOT NULL,
    -- Who granted it; null for the command line.
    granted_by uuid,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, role),
    CONSTRAINT staff_roles_role CHECK (role IN ('admin', 'editor', 'nutritionist', 'support', 'analyst'))
);
COMMENT ON COLUMN auth.staff_roles.account_id IS 'person';
COMMENT ON COLUMN auth.staff_roles.granted_by IS 'person';
CREATE INDEX staff_roles_role_index ON auth.staff_roles (role);

-- One a device: the refresh token family. Of the token only a hash is kept, and only of the newest one.
CREATE TABLE auth.sessions (
    account_id       uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    id               uuid        NOT NULL,
    device           text        NOT NULL,
    network          cidr,
    created_at       timestamptz NOT NULL,
    last_seen_at     timestamptz NOT NULL,
    -- When the person last proved who they are in this session.
    authenticated_at timestamptz NOT NULL,
    second_factor    boolean     NOT NULL,
    generation       integer     NOT NULL,
    secret_hash      bytea       NOT NULL,
    -- When the newest token was made, by the clock of the database.
    rotated_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text,
    PRIMARY KEY (account_id, id),
    CONSTRAINT sessions_id_key UNIQUE (id),
    CONSTRAINT sessions_generation CHECK (generation >= 0),
    CONSTRAINT sessions_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT sessions_end_reason CHECK (end_reason IN ('logout', 'logout_everywhere', 'revoked', 'reuse', 'password_changed', 'password_reset', 'factors_reset', 'suspended', 'surplus', 'erased'))
) WITH (fillfactor = 80); -- each refresh writes its row again
COMMENT ON COLUMN auth.sessions.account_id IS 'person';
CREATE INDEX sessions_ended_at ON auth.sessions (ended_at) WHERE ended_at IS NOT NULL;
-- No index has a column that a refresh changes: the row is then written again in its page, and no index is touched.
CREATE INDEX sessions_live ON auth.sessions (account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_created_at ON auth.sessions (created_at);

-- Networks that a person has signed in from: others' wrong guesses do not delay them there.
CREATE TABLE auth.known_networks (
    account_id   uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    network      cidr        NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, network)
);
COMMENT ON COLUMN auth.known_networks.account_id IS 'person';
CREATE INDEX known_networks_last_seen_at ON auth.known_networks (last_seen_at);

-- Tokens that went out by mail, as hashes. Each is deleted by its use.
CREATE TABLE auth.email_tokens (
    account_id uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    hash       bytea       NOT NULL,
    purpose    text        NOT NULL,
    -- The address that it was sent to, which it proves.
    email      text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, hash),
    CONSTRAINT email_tokens_hash_key UNIQUE (hash),
    CONSTRAINT email_tokens_purpose CHECK (purpose IN ('verify', 'reset'))
);
COMMENT ON COLUMN auth.email_tokens.account_id IS 'person';
CREATE INDEX email_tokens_expires_at ON auth.email_tokens (expires_at);

-- How many wrong guesses there were, by what they were aimed at or came from (an HMAC of it). It says nothing of a person.
CREATE TABLE auth.guards (
    key          bytea            NOT NULL PRIMARY KEY,
    -- Leaks away with time.
    level        double precision NOT NULL,
    updated_at   timestamptz      NOT NULL,
    locked_until timestamptz      NOT NULL
);
CREATE INDEX guards_updated_at ON auth.guards (updated_at);

-- An authenticator app. The secret is encrypted.
CREATE TABLE auth.totps (
    account_id   uuid        NOT NULL PRIMARY KEY REFERENCES auth.accounts ON DELETE CASCADE,
    secret       bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    -- Null until a code was seen.
    confirmed_at timestamptz,
    -- The time step of the last code that was accepted: each counts once.
    last_step    bigint      NOT NULL
);
COMMENT ON COLUMN auth.totps.account_id IS 'person';

CREATE TABLE auth.recovery_codes (
    account_id uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    hash       bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, hash)
);
COMMENT ON COLUMN auth.recovery_codes.account_id IS 'person';

CREATE TABLE auth.passkeys (
    account_id    uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    credential_id bytea       NOT NULL,
    -- The credential record of WebAuthn, as JSON: public key, counter, flags, transports.
    credential    bytea       NOT NULL,
    name          text        NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    PRIMARY KEY (account_id, credential_id),
    CONSTRAINT passkeys_credential_id_key UNIQUE (credential_id)
);
COMMENT ON COLUMN auth.passkeys.account_id IS 'person';

-- Sign-ins and registrations that are half done. Each is deleted when it is done.
CREATE TABLE auth.challenges (
    hash          bytea       NOT NULL PRIMARY KEY,
    kind          text        NOT NULL,
    -- Null while a passkey has not yet said whose it is.
    account_id    uuid        REFERENCES auth.accounts ON DELETE CASCADE,
    device        text        NOT NULL,
    -- What WebAuthn has to remember, as JSON; empty for others.
    data          bytea       NOT NULL,
    wrong_guesses integer     NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    CONSTRAINT challenges_kind CHECK (kind IN ('second_factor', 'passkey_registration', 'passkey_login'))
);
COMMENT ON COLUMN auth.challenges.account_id IS 'person';
CREATE INDEX challenges_account_id ON auth.challenges (account_id);
CREATE INDEX challenges_expires_at ON auth.challenges (expires_at);

-- Accounts at OpenID providers.
CREATE TABLE auth.identities (
    account_id uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    provider   text        NOT NULL,
    subject    text        NOT NULL,
    email      text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, provider),
    CONSTRAINT identities_subject_key UNIQUE (provider, subject)
);
COMMENT ON COLUMN auth.identities.account_id IS 'person';

-- Sign-ins with a provider that are under way. Each is deleted when it ends.
CREATE TABLE auth.oidc_flows (
    state_hash bytea       NOT NULL PRIMARY KEY,
    provider   text        NOT NULL,
    return_url text        NOT NULL,
    -- Whom to link to, and the session that asked for it; null for a sign-in.
    account_id uuid        REFERENCES auth.accounts ON DELETE CASCADE,
    session_id uuid,
    device     text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN auth.oidc_flows.account_id IS 'person';
CREATE INDEX oidc_flows_account_id ON auth.oidc_flows (account_id);
CREATE INDEX oidc_flows_expires_at ON auth.oidc_flows (expires_at);

-- What happened to an account, for its owner to see.
CREATE TABLE auth.security_events (
    account_id uuid        NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    id         uuid        NOT NULL,
    kind       text        NOT NULL,
    device     text        NOT NULL,
    network    cidr,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
COMMENT ON COLUMN auth.security_events.account_id IS 'person';
CREATE INDEX security_events_created_at ON auth.security_events (created_at);

-- Keys of other systems, as hashes.
CREATE TABLE auth.partner_keys (
    id           uuid        NOT NULL PRIMARY KEY,
    name         text        NOT NULL,
    hash         bytea       NOT NULL,
    scopes       text[]      NOT NULL,
    -- Who made it; null for the command line.
    created_by   uuid,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT partner_keys_hash_key UNIQUE (hash)
);
COMMENT ON COLUMN auth.partner_keys.created_by IS 'person';

-- Keys that sign access tokens (ES256). The private half is encrypted. The newest whose time has come signs; all that are here verify.
CREATE TABLE auth.signing_keys (
    id          text        NOT NULL PRIMARY KEY,
    public_key  bytea       NOT NULL,
    private_key bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    signs_from  timestamptz NOT NULL
);

-- +goose Down
DROP SCHEMA auth CASCADE;
