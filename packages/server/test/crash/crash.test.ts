// The short version, for every run of the tests; `npm run test:crash` is the whole one.
import { crashSuite } from "./suite.ts";

crashSuite({ pglite: 2, postgres: 2 });
