from django.urls import path

from portal.views.customer import account, brand, links, overview, rewards, statements

app_name = "customer"
urlpatterns = [
    path("overview/", overview.overview, name="overview"),
    path("rewards/", rewards.rewards, name="rewards"),
    path("rewards/csv/", rewards.rewards_csv, name="rewards_csv"),
    path("statements/", statements.statements, name="statements"),
    path("statements/<str:code>/", statements.statement, name="statement"),
    path("statements/<str:code>/pdf/", statements.statement_pdf, name="statement_pdf"),
    path("statements/<str:code>/csv/", statements.statement_csv, name="statement_csv"),
    path("watcher-links/", links.links, name="links"),
    path("brand/<slug:colour>.css", brand.brand, name="brand"),
    path("brand/<slug:provider>/<slug:sha256>.png", brand.logo, name="logo"),
    path("me/", account.account, name="account"),
]
