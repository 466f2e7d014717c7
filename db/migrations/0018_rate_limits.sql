-- How often callers came, where there is no Redis; and traces that go on from a webhook to its email.

-- Unlogged: after a crash everybody begins at nought, and no request waits for the disk. The key is
-- a hash, so that no address stands here; the columns are those of the library that writes them.
create unlogged table rate_limits (
  key varchar(255) primary key,
  points integer not null default 0 check (points >= 0),
  -- Milliseconds since 1970.
  expire bigint
);

create index rate_limits_by_expiry on rate_limits (expire);

grant select, insert, update, delete on rate_limits to bahi_app;

-- A W3C traceparent: who sent the event, and what it led to, is one trace.
create domain trace_context as text check (value ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');

alter table inbox_events add column trace_context trace_context;
alter table outbox add column trace_context trace_context;
alter table receipt_emails add column trace_context trace_context;

-- What ended without success is counted at every sweep.
create index outbox_dead on outbox (org_id, outbox_id) where state = 'dead';
create index receipt_emails_ended on receipt_emails (org_id, email_id)
  where state in ('refused', 'unconfirmed', 'dead');
