"""IAM: roles with their policies, managed policies, users to look at, and the policy simulator."""
