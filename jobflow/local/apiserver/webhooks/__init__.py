"""Webhooks: admission by others, as Mutating- and ValidatingWebhookConfigurations ask for it.

kinds            the two kinds, as OpenAPI
configurations   which hooks there are, and which requests each is about. Pure
reviews          AdmissionReview: the question, and what an answer comes to. Pure
calling          one question over HTTPS, with a CA and a time limit
gate             the Gate that the verbs ask
"""
