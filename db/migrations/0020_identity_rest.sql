-- What is forgotten when it is over for long enough; invitations by email; and whom an identity
-- provider means.

-- Whoever forgets takes what is over in the order in which it ended (jobs/forget-old.ts).
create index sessions_by_end on sessions (expires_at);
create index user_invitations_by_end on user_invitations (expires_at);
create index webhook_deliveries_ended on webhook_deliveries (ended_at) where ended_at is not null;
create index webhook_messages_fanned_out on webhook_messages (fanned_out_at)
  where fanned_out_at is not null;

-- When somebody last looked for what may be forgotten: one row for the installation.
create table forgetting (
  only_row boolean primary key default true check (only_row),
  begun_at timestamptz(3) not null
);

insert into forgetting (begun_at) values ('-infinity');
grant select, update (begun_at) on forgetting to bahi_app;

-- Webhooks are kept for 90 days after they are done, whoever would forget them.
drop trigger no_removal on webhook_messages;
drop trigger no_removal on webhook_deliveries;
drop trigger append_only on webhook_attempts;

create trigger no_truncation before truncate on webhook_messages
  for each statement execute function bahi_refuse();
create trigger no_truncation before truncate on webhook_deliveries
  for each statement execute function bahi_refuse();
create trigger append_only before update or truncate on webhook_attempts
  for each statement execute function bahi_refuse();

create function webhook_messages_removal() returns trigger
  language plpgsql as
$$
begin
  if old.fanned_out_at is null or old.fanned_out_at > now() - interval '90 days' then
    raise exception 'bahi: a webhook is kept for 90 days' using errcode = 'restrict_violation';
  end if;
  return old;
end
$$;

create trigger removal before delete on webhook_messages
  for each row execute function webhook_messages_removal();

create function webhook_deliveries_removal() returns trigger
  language plpgsql as
$$
begin
  if old.ended_at is null or old.ended_at > now() - interval '90 days' then
    raise exception 'bahi: a delivery is kept for 90 days' using errcode = 'restrict_violation';
  end if;
  return old;
end
$$;

create trigger removal before delete on webhook_deliveries
  for each row execute function webhook_deliveries_removal();

-- Attempts go with their delivery, and in no other way: it is gone already when they go.
alter table webhook_attempts
  drop constraint webhook_attempts_org_id_delivery_id_fkey,
  add constraint webhook_attempts_org_id_delivery_id_fkey
    foreign key (org_id, delivery_id) references webhook_deliveries on delete cascade;

create function webhook_attempts_removal() returns trigger
  language plpgsql as
$$
begin
  if exists (select from webhook_deliveries d
              where d.org_id = old.org_id and d.delivery_id = old.delivery_id) then
    raise exception 'bahi: an attempt is kept with its delivery'
      using errcode = 'restrict_violation';
  end if;
  return old;
end
$$;

create trigger removal before delete on webhook_attempts
  for each row execute function webhook_attempts_removal();

grant delete on webhook_messages, webhook_deliveries to bahi_app;

-- Whether only the invited get to see an invitation's secret; no row: who invites sees it too.
create table invitation_settings (
  org_id integer primary key references organisations,
  email_only boolean not null,
  updated_by text not null,
  updated_at timestamptz(3) not null default now()
);

select bahi_wall('invitation_settings', false);
grant select, insert (org_id, email_only, updated_by),
  update (email_only, updated_by, updated_at) on invitation_settings to bahi_app;

-- The emails that take invitations to people; states as those of receipt_emails, and withdrawn:
-- the invitation was used, replaced or too old before it was sent.
create table invitation_emails (
  org_id integer not null,
  email_id text collate "C" not null check (email_id ~ '^eml_[0-9a-hjkmnp-tv-z]{26}$'),
  user_id text collate "C" not null,
  -- Which invitation it takes there.
  token_hash bytea not null check (length(token_hash) = 32),
  -- The secret, encrypted, until it is sent or nobody tries any more.
  token_sealed bytea,
  -- Where the secret is put in, without it.
  page_url text not null check (length(page_url) <= 500 and page_url ~ '^https?://[!-~]+$'),
  state text not null default 'waiting' check (state in
    ('waiting', 'claimed', 'sending', 'sent', 'refused', 'unconfirmed', 'dead', 'withdrawn')),
  attempts integer not null default 0 check (attempts >= 0),
  unknown_attempts integer not null default 0 check (unknown_attempts >= 0),
  next_try_at timestamptz not null default now(),
  message_id text,
  sent_at timestamptz(3),
  last_error text check (length(last_error) <= 500),
  created_at timestamptz(3) not null default now(),
  trace_context trace_context,
  primary key (org_id, email_id),
  -- Sent once per invitation.
  unique (org_id, token_hash),
  foreign key (org_id, user_id) references users,
  check ((state = 'sent') = (sent_at is not null)),
  check ((state in ('waiting', 'claimed', 'sending')) = (token_sealed is not null))
);

create index invitation_emails_due on invitation_emails (org_id, next_try_at, email_id)
  where state in ('waiting', 'claimed', 'sending');
create index invitation_emails_by_time on invitation_emails (created_at);

-- What is over stays over, but for a worker that tells late that it was sent.
create function invitation_emails_guard() returns trigger
  language plpgsql as
$$
begin
  if (old.token_sealed is null and new.state not in (old.state, 'sent'))
     or (new.token_sealed <> old.token_sealed
         and not sealed_anew(old.token_sealed, new.token_sealed)) then
    raise exception 'bahi: an invitation’s email is not sent again, nor another secret'
      using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

create trigger guard before update on invitation_emails
  for each row execute function invitation_emails_guard();

-- The worker looks for what waits among all organisations.
select bahi_wall('invitation_emails', true);
grant select, delete,
  insert (org_id, email_id, user_id, token_hash, token_sealed, page_url, trace_context),
  update (token_sealed, state, attempts, unknown_attempts, next_try_at, message_id, sent_at,
    last_error) on invitation_emails to bahi_app;

-- Whom an identity provider means by a subject: bound when he first comes in with it. From then on
-- it decides, and not the email, which another may have at the provider one day.
create table user_identities (
  org_id integer not null,
  user_id text collate "C" not null,
  issuer text collate "C" not null check (length(issuer) between 1 and 500),
  -- At most 255 ASCII characters (OpenID Connect Core 1.0, section 2).
  subject text collate "C" not null check (subject ~ '^[ -~]{1,255}$'),
  bound_at timestamptz(3) not null default now(),
  primary key (org_id, issuer, subject),
  unique (org_id, user_id, issuer),
  foreign key (org_id, user_id) references users
);

select bahi_wall('user_identities', false);
-- No update: a binding is taken away and made anew, never turned to somebody else.
grant select, insert (org_id, user_id, issuer, subject), delete on user_identities to bahi_app;

revoke all on function webhook_messages_removal(), webhook_deliveries_removal(),
  webhook_attempts_removal(), invitation_emails_guard() from public;
