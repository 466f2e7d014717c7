-- What was answered to a request with an Idempotency-Key, for when the same request comes again.

create table kept_answers (
  org_id integer not null references organisations,
  -- Whose key it is: the caller, and what he asked for (an operation of the API).
  principal text not null,
  operation text not null,
  idempotency_key text collate "C" not null,
  -- SHA-256 of path and body, to tell a repetition from another request.
  fingerprint bytea not null check (length(fingerprint) = 32),
  status smallint not null check (status between 200 and 499),
  headers jsonb not null,
  -- Encrypted: an answer may hold personal data, or a secret that is shown once.
  body_sealed bytea not null,
  answered_at timestamptz not null default now(),
  primary key (org_id, principal, operation, idempotency_key)
);

create index kept_answers_by_time on kept_answers (answered_at);

select bahi_wall('kept_answers', true);
grant select, insert, delete on kept_answers to bahi_app;

-- A key is honoured for at least a day, whoever would forget it.
create function kept_answers_guard() returns trigger
  language plpgsql as
$$
begin
  if old.answered_at > now() - interval '24 hours' then
    raise exception 'bahi: an answer is kept for 24 hours' using errcode = 'restrict_violation';
  end if;
  return old;
end
$$;

create trigger guard before delete on kept_answers
  for each row execute function kept_answers_guard();
