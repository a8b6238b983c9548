"""Who enters for somebody whom the provider has confirmed: the identity's account, with the roles of its groups."""

from models.access import Identities, Refused, accounts
from models.policy import Policy
from models.single_sign_on.provider import Confirmed
from models.single_sign_on.sign_on import Arrival


def entered(confirmed: Confirmed, identities: Identities, in_force: Policy) -> Arrival:
    """Return who enters, if the person has an account; Refused if there is none, or no group has a role here.

    MLflow's server makes accounts (models/server/arrivals.py); other servers know those that there are.
    """
    name = identities.account(confirmed.identity)
    if name is None:
        raise Refused("Sign in at MLflow's page first, once: that makes your account.")
    return Arrival(name, required_roles(confirmed, in_force))


def required_roles(confirmed: Confirmed, in_force: Policy) -> frozenset[str]:
    """Return the roles that a person's groups give; Refused if they give none."""
    roles = accounts.of_groups(in_force, confirmed.groups)
    if not roles:
        raise Refused("None of your groups has a role here: ask whoever keeps the groups of the identity provider.")
    return roles
