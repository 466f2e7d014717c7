-- Currencies: ISO 4217's, which everybody has, and an organisation's own, such as points.

-- The active codes of ISO 4217, as in src/base/money.ts; a test holds the two together.
create function bahi_iso_currency(code text) returns boolean
  language sql immutable parallel safe
  return code collate "C" in (
    'AED', 'AFN', 'ALL', 'AMD', 'AOA', 'ARS', 'AUD', 'AWG', 'AZN', 'BAM', 'BBD', 'BDT', 'BHD',
    'BIF', 'BMD', 'BND', 'BOB', 'BOV', 'BRL', 'BSD', 'BTN', 'BWP', 'BYN', 'BZD', 'CAD', 'CDF',
    'CHE', 'CHF', 'CHW', 'CLF', 'CLP', 'CNY', 'COP', 'COU', 'CRC', 'CUP', 'CVE', 'CZK', 'DJF',
    'DKK', 'DOP', 'DZD', 'EGP', 'ERN', 'ETB', 'EUR', 'FJD', 'FKP', 'GBP', 'GEL', 'GHS', 'GIP',
    'GMD', 'GNF', 'GTQ', 'GYD', 'HKD', 'HNL', 'HTG', 'HUF', 'IDR', 'ILS', 'INR', 'IQD', 'IRR',
    'ISK', 'JMD', 'JOD', 'JPY', 'KES', 'KGS', 'KHR', 'KMF', 'KPW', 'KRW', 'KWD', 'KYD', 'KZT',
    'LAK', 'LBP', 'LKR', 'LRD', 'LSL', 'LYD', 'MAD', 'MDL', 'MGA', 'MKD', 'MMK', 'MNT', 'MOP',
    'MRU', 'MUR', 'MVR', 'MWK', 'MXN', 'MXV', 'MYR', 'MZN', 'NAD', 'NGN', 'NIO', 'NOK', 'NPR',
    'NZD', 'OMR', 'PAB', 'PEN', 'PGK', 'PHP', 'PKR', 'PLN', 'PYG', 'QAR', 'RON', 'RSD', 'RUB',
    'RWF', 'SAR', 'SBD', 'SCR', 'SDG', 'SEK', 'SGD', 'SHP', 'SLE', 'SOS', 'SRD', 'SSP', 'STN',
    'SVC', 'SYP', 'SZL', 'THB', 'TJS', 'TMT', 'TND', 'TOP', 'TRY', 'TTD', 'TWD', 'TZS', 'UAH',
    'UGX', 'USD', 'USN', 'UYI', 'UYU', 'UYW', 'UZS', 'VED', 'VES', 'VND', 'VUV', 'WST', 'XAF',
    'XCD', 'XCG', 'XOF', 'XPF', 'YER', 'ZAR', 'ZMW', 'ZWG'
  );

create table currencies (
  org_id integer not null references organisations,
  -- No code that ISO 4217 gives a meaning: metals, units of account and the like neither.
  code currency_code not null check (
    not bahi_iso_currency(code)
    and code not in ('XAG', 'XAU', 'XBA', 'XBB', 'XBC', 'XBD', 'XDR', 'XPD', 'XPT', 'XSU', 'XTS',
                     'XUA', 'XXX')
  ),
  name text not null check (length(name) between 1 and 100),
  -- Digits behind the decimal point; it says what every amount means and never changes.
  exponent smallint not null check (exponent between 0 and 6),
  actor text not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  primary key (org_id, code)
);

select bahi_append_only('currencies');
select bahi_wall('currencies', false);

grant select on currencies to bahi_app;
grant insert (org_id, code, name, exponent, actor) on currencies to bahi_app;

-- An account is kept in a currency that is known. Its currency never changes, so that only new
-- accounts are looked at.
create function accounts_currency_guard() returns trigger
  language plpgsql
  set search_path = public, pg_temp as
$$
begin
  if not exists (
    select from currencies c where c.org_id = new.org_id and c.code = new.currency
  ) then
    raise exception 'bahi: % is neither an ISO 4217 currency nor one of the organisation',
      new.currency using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end
$$;

revoke all on function accounts_currency_guard() from public;

create trigger currency_guard after insert on accounts
  for each row when (not bahi_iso_currency(new.currency))
  execute function accounts_currency_guard();
