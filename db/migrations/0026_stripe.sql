-- Stripe is a gateway too.

alter table gateway_accounts drop constraint gateway_accounts_gateway_check;
alter table gateway_accounts add constraint gateway_accounts_gateway_check
  check (gateway in ('razorpay', 'payu', 'stripe'));
