-- How many pages of the window were compared: a list whose pages lead in a circle never ends.
alter table gateway_polls add column window_pages integer not null default 0;
grant update (window_pages) on gateway_polls to bahi_app;
