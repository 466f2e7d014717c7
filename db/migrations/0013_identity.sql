-- Who may come in: users with passwords and sessions, API keys, an identity provider.

-- An organisation that is suspended keeps its books; nobody comes in meanwhile.
alter table organisations
  add column state text not null default 'active' check (state in ('active', 'suspended'));

create domain user_role as text
  check (value in ('viewer', 'finance', 'approver', 'auditor', 'admin', 'service'));

create table users (
  org_id integer not null references organisations,
  user_id text collate "C" not null unique check (user_id ~ '^usr_[0-9a-hjkmnp-tv-z]{26}$'),
  -- Lower-case ASCII, so that two ways to write an address are not two users.
  email text collate "C" not null check (
    length(email) <= 254 and email ~ '^[!-?A-~]+@[!-?A-~]+$' and email !~ '[A-Z]'
  ),
  name text not null check (length(name) between 1 and 200),
  role user_role not null,
  state text not null default 'active' check (state in ('active', 'disabled')),
  -- Null until the invitation is accepted, and for those who come by an identity provider.
  password_hash text
    check (password_hash ~
      '^scrypt[$][0-9]{1,2}[$][0-9]{1,3}[$][0-9]{1,3}[$][A-Za-z0-9_-]{22}[$][A-Za-z0-9_-]{43}$'),
  -- Since the last success.
  failed_attempts integer not null default 0 check (failed_attempts >= 0),
  locked_until timestamptz,
  signed_in_at timestamptz,
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  updated_by text not null,
  updated_at timestamptz(3) not null default now(),
  primary key (org_id, user_id),
  unique (org_id, email)
);

-- One for a user: a new one replaces the old.
create table user_invitations (
  org_id integer not null,
  user_id text collate "C" not null,
  token_hash bytea not null unique check (length(token_hash) = 32),
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null
    check (expires_at > created_at and expires_at <= created_at + interval '7 days'),
  primary key (org_id, user_id),
  foreign key (org_id, user_id) references users
);

create table sessions (
  org_id integer not null,
  session_id text collate "C" not null unique check (session_id ~ '^ses_[0-9a-hjkmnp-tv-z]{26}$'),
  user_id text collate "C" not null,
  token_hash bytea not null unique check (length(token_hash) = 32),
  method text not null check (method in ('password', 'oidc')),
  user_agent text check (length(user_agent) <= 200),
  remote_address text check (length(remote_address) <= 64),
  created_at timestamptz(3) not null default now(),
  last_used_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null default now() + interval '12 hours'
    check (expires_at <= created_at + interval '12 hours'),
  primary key (org_id, session_id),
  foreign key (org_id, user_id) references users
);

create index sessions_by_user on sessions (org_id, user_id, created_at);

create table api_keys (
  org_id integer not null references organisations,
  key_id text collate "C" not null unique check (key_id ~ '^key_[0-9a-hjkmnp-tv-z]{26}$'),
  name text not null check (length(name) between 1 and 100),
  secret_hash bytea not null check (length(secret_hash) = 32),
  role user_role not null,
  -- Null for all that the role may do.
  permissions text[] check (cardinality(permissions) between 1 and 100),
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null
    check (expires_at > created_at and expires_at <= created_at + interval '2 years'),
  last_used_at timestamptz(3),
  revoked_at timestamptz(3),
  revoked_by text,
  check ((revoked_at is null) = (revoked_by is null)),
  primary key (org_id, key_id)
);

create table oidc_providers (
  org_id integer primary key references organisations,
  issuer text not null check (length(issuer) <= 500 and issuer ~ '^https?://'),
  client_id text not null check (length(client_id) between 1 and 200),
  client_secret_sealed bytea not null,
  enabled boolean not null,
  updated_by text not null,
  updated_at timestamptz(3) not null default now()
);

-- Who comes with a token or a key does not say first to which organisation he belongs.
select bahi_wall('users', true);
select bahi_wall('user_invitations', true);
select bahi_wall('sessions', true);
select bahi_wall('api_keys', true);
select bahi_wall('oidc_providers', false);

grant select on users, user_invitations, sessions, api_keys, oidc_providers to bahi_app;
grant insert (org_id, user_id, email, name, role, created_by, updated_by) on users to bahi_app;
grant update (name, role, state, password_hash, failed_attempts, locked_until, signed_in_at,
  updated_by, updated_at) on users to bahi_app;
grant insert, delete on user_invitations to bahi_app;
grant insert (org_id, session_id, user_id, token_hash, method, user_agent, remote_address),
  update (last_used_at), delete on sessions to bahi_app;
grant insert (org_id, key_id, name, secret_hash, role, permissions, created_by, expires_at),
  update (last_used_at, revoked_at, revoked_by) on api_keys to bahi_app;
grant insert, delete, update (issuer, client_id, client_secret_sealed, enabled, updated_by,
  updated_at) on oidc_providers to bahi_app;

-- An organisation that has had an admin keeps one. The others' rows are locked, so that two who
-- leave at the same time do not each count the other.
create function users_guard() returns trigger
  language plpgsql
  set search_path = public, pg_temp as
$$
begin
  perform 1 from users u
    where u.org_id = old.org_id and u.user_id <> old.user_id
      and u.role = 'admin' and u.state = 'active'
    order by u.user_id for update;
  if not found then
    raise exception 'bahi: the last active admin stays' using errcode = 'restrict_violation';
  end if;
  return null;
end
$$;

create trigger guard after update on users
  for each row when (
    old.role = 'admin' and old.state = 'active' and (new.role <> 'admin' or new.state <> 'active')
  )
  execute function users_guard();

-- What was revoked stays revoked.
create function api_keys_guard() returns trigger
  language plpgsql as
$$
begin
  raise exception 'bahi: a revoked key stays revoked' using errcode = 'restrict_violation';
end
$$;

create trigger guard before update on api_keys
  for each row when (
    old.revoked_at is not null
    and (new.revoked_at, new.revoked_by) is distinct from (old.revoked_at, old.revoked_by)
  )
  execute function api_keys_guard();

revoke all on function users_guard(), api_keys_guard() from public;
