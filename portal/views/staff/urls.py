from django.urls import path

from portal.views.staff import contracts, customers, documents, keys, overview, rewards, sync, team

app_name = "staff"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("customers/", customers.customers, name="customers"),
    path("customers/new/", customers.customer_new, name="customer_new"),
    path("customers/<str:code>/", customers.customer, name="customer"),
    path("customers/<str:code>/account/", customers.customer_account, name="customer_account"),
    path("customers/<str:code>/invite/", customers.customer_invite, name="customer_invite"),
    path(
        "customers/<str:code>/invitations/<str:invitation>/revoke/",
        customers.customer_invitation_revoke,
        name="customer_invitation_revoke",
    ),
    path("customers/<str:code>/people/<str:member>/end/", customers.customer_member_end, name="customer_member_end"),
    path("intents/<str:code>/decide/", customers.intent_decide, name="intent_decide"),
    path("contracts/", contracts.contracts, name="contracts"),
    path("contracts/new/", contracts.contract_new, name="contract_new"),
    path("contracts/<str:code>/", contracts.contract, name="contract"),
    path("contracts/<str:code>/versions/", contracts.contract_version_new, name="contract_version_new"),
    path("rewards/", rewards.rewards, name="rewards"),
    path("documents/", documents.documents, name="documents"),
    path("documents/close/", documents.document_close, name="document_close"),
    path("documents/issue/", documents.document_issue, name="document_issue"),
    path("documents/<str:code>/", documents.document, name="document"),
    path("documents/<str:code>/discard/", documents.document_discard, name="document_discard"),
    path("documents/<str:code>/pdf/", documents.document_pdf, name="document_pdf"),
    path("documents/<str:code>/csv/", documents.document_csv, name="document_csv"),
    path("sync/", sync.sync, name="sync"),
    path("sync/now/", sync.sync_now, name="sync_now"),
    path("keys/", keys.keys, name="keys"),
    path("keys/paste/", keys.key_paste, name="key_paste"),
    path("keys/<str:code>/verify/", keys.key_verify, name="key_verify"),
    path("keys/<str:code>/withdraw/", keys.key_withdraw, name="key_withdraw"),
    path("team/", team.team, name="team"),
    path("team/invite/", team.team_invite, name="team_invite"),
    path("team/invitations/<str:code>/revoke/", team.team_invitation_revoke, name="team_invitation_revoke"),
    path("team/<str:code>/role/", team.team_role, name="team_role"),
    path("team/<str:code>/end/", team.team_end, name="team_end"),
]
