-- Webhooks that nobody signed, what a person should know of an event, and terms of an account.

-- Null: this gateway does not sign such a webhook. It is a hint, from which nothing is posted but
-- what the gateway confirms.
alter table inbox_events alter column secret_id drop not null;

-- Why nothing, or not all, was taken from it.
alter table inbox_events add column note text;
grant update (note) on inbox_events to bahi_app;

-- PayU's contract says per merchant whether contested money is taken when a dispute begins, or only
-- when it is lost.
alter table gateway_accounts
  add column disputes_debited_upfront boolean not null default false;
grant update (disputes_debited_upfront) on gateway_accounts to bahi_app;
