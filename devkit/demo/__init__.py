"""The whole product on one machine: servers, sandbox, worker, beat, web, and a provider with a dozen customers."""
