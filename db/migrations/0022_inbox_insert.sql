-- An event's organisation is that of the endpoint it came to, which is read from the same tables;
-- looking it up again for each row was a fifth of the insert.
alter table inbox_events drop constraint inbox_events_org_id_fkey;
