-- All resolutions of an exception, for its timeline.
create index recon_resolutions_of_exception on recon_resolutions (exception_id, org_id);
