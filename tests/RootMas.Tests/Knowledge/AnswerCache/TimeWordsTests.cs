using Microsoft.Extensions.AI;
using RootMas.Server.Knowledge.AnswerCache;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>Which questions ask for what is true only for a while, and which only speak of time.</summary>
public sealed class TimeWordsTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("What's on today's agenda?")]
    [InlineData("What is in today’s paper?")]
    [InlineData("Is the museum open now?")]
    [InlineData("Who is president right now?")]
    [InlineData("Which film is currently the most popular?")]
    [InlineData("What is the latest news?")]
    [InlineData("Any news about the election")]
    [InlineData("What happened last Friday?")]
    [InlineData("Is next monday a holiday?")]
    [InlineData("What holidays are there this year?")]
    [InlineData("What will the prices be next month?")]
    [InlineData("Who won in the last few weeks?")]
    [InlineData("How old is the pope?")]
    [InlineData("How old are the Rolling Stones?")]
    [InlineData("How many days until Christmas?")]
    [InlineData("How many days are left until Christmas?")]
    [InlineData("How long until the next World Cup?")]
    [InlineData("How long until New Year?")]
    [InlineData("How many years since the moon landing?")]
    [InlineData("How long ago was the war?")]
    [InlineData("Who was president 10 years ago?")]
    [InlineData("What did they decide two weeks ago?")]
    [InlineData("What is the time in Tokyo?")]
    [InlineData("What's the date?")]
    [InlineData("What year is it?")]
    [InlineData("Tell me the time")]
    [InlineData("What is the current exchange rate of the euro?")]
    [InlineData("Who is the current champion?")]
    [InlineData("Where does she live at present?")]
    [InlineData("What will it be in two weeks' time?")]
    [InlineData("What do people wear these days?")]
    [InlineData("Tomorrow's forecast, please")]
    [InlineData("Что пишут в сегодняшних газетах?")]
    [InlineData("Какой курс доллара на сегодняшний день?")]
    [InlineData("Что будет завтра?")]
    [InlineData("Что в завтрашнем номере?")]
    [InlineData("Кто выиграл позавчера?")]
    [InlineData("О вчерашнем матче")]
    [InlineData("Музей сейчас открыт?")]
    [InlineData("Кто теперь президент?")]
    [InlineData("Кто нынешний чемпион?")]
    [InlineData("Каков текущий курс?")]
    [InlineData("Кто правит страной в настоящее время?")]
    [InlineData("Что идёт в кино на этой неделе?")]
    [InlineData("Какие праздники в этом году?")]
    [InlineData("Что было в прошлую пятницу?")]
    [InlineData("Что было прошлой ночью?")]
    [InlineData("Кто выступает в следующем месяце?")]
    [InlineData("Что будет в ближайшие выходные?")]
    [InlineData("Что случилось на днях?")]
    [InlineData("Последние новости")]
    [InlineData("Расскажи о новостях спорта")]
    [InlineData("Сколько лет Путину?")]
    [InlineData("Сколько ему лет?")]
    [InlineData("Сколько дней до Нового года?")]
    [InlineData("Сколько осталось до зимы?")]
    [InlineData("Сколько времени осталось до выборов?")]
    [InlineData("Сколько времени?")]
    [InlineData("Сколько времени в Токио?")]
    [InlineData("Какое сегодня число?")]
    [InlineData("Какое число?")]
    [InlineData("Какой сейчас год?")]
    [InlineData("Какая погода в Риме?")]
    [InlineData("Какой погоды ждать?")]
    [InlineData("Кто был президентом десять лет назад?")]
    [InlineData("Какая последняя версия программы?")]
    public void What_is_asked_is_true_only_for_a_while(string question) => Assert.Equal("time", Refusal(question));

    [Theory]
    [InlineData("Why has my transfer not arrived yet?")]
    [InlineData("I topped up an hour ago and it is still pending")]
    [InlineData("My account is blocked and now I cannot log in")]
    [InlineData("It's been over a week now. Can you help?")]
    [InlineData("Surely it should be done by now")]
    [InlineData("I do not know how to reset it")]
    [InlineData("Is snow white?")]
    [InlineData("How old do I have to be to open an account?")]
    [InlineData("How long until my card arrives?")]
    [InlineData("How long does a transfer take?")]
    [InlineData("What is the time limit for refunds?")]
    [InlineData("How do I open a current account?")]
    [InlineData("Are you open on monday?")]
    [InlineData("Why is the last payment declined?")]
    [InlineData("How do I change my current address?")]
    [InlineData("What is the meaning of Monday?")]
    [InlineData("Почему мой перевод ещё не пришёл?")]
    [InlineData("Сколько времени занимает перевод?")]
    [InlineData("Сколько лет длилась война?")]
    [InlineData("Какое число делится на семь?")]
    [InlineData("Какой год основания Москвы?")]
    [InlineData("Как открыть текущий счёт?")]
    [InlineData("Открыто ли по понедельникам?")]
    [InlineData("В течение скольких дней можно вернуть товар?")]
    [InlineData("Почему последний платёж отклонён?")]
    [InlineData("Как сбросить пароль?")]
    [InlineData("Пополнил счёт час назад, а денег нет")]
    public void Who_only_speaks_of_time_does_not_ask_for_it(string question) => Assert.Null(Refusal(question));

    [Theory]
    [InlineData("Today is 2026-03-01.")]
    [InlineData("It is 1 March 2026, a Sunday.")]
    [InlineData("It is March 1, 2026.")]
    [InlineData("The date: 01.03.2026")]
    [InlineData("The date: 03/01/2026 12:00")]
    [InlineData("На дворе 1 марта 2026 года.")]
    [InlineData("In Auckland it is 2 March 2026 already.")]
    public void A_prompt_or_a_history_that_carries_the_present_date_keeps_the_request_out(string text)
    {
        var question = new ChatMessage(ChatRole.User, "Is the museum open?");
        var call = CacheWorld.Call("Is the museum open?");
        Assert.Equal("time", CacheRules.Refusal([new ChatMessage(ChatRole.System, text), question], call, Now));
        Assert.Equal("time", CacheRules.Refusal([new ChatMessage(ChatRole.System, "Be short."), new ChatMessage(ChatRole.User, text), new ChatMessage(ChatRole.Assistant, "Yes."), question], call, Now));
        Assert.Null(CacheRules.Refusal([new ChatMessage(ChatRole.System, text), question], call, Now.AddDays(40)));
    }

    [Fact]
    public void A_date_that_begins_somewhere_later_in_the_day_is_known_then_whenever_the_day_was_first_looked_at()
    {
        var midnight = new DateTimeOffset(2026, 5, 7, 0, 0, 0, TimeSpan.Zero);
        string? RefusalAt(string text, TimeSpan at) => CacheRules.Refusal([new ChatMessage(ChatRole.System, text), new ChatMessage(ChatRole.User, "Is it open?")], CacheWorld.Call("Is it open?"), midnight + at);
        Assert.Equal("time", RefusalAt("It is 7 May 2026.", TimeSpan.FromMinutes(5)));
        Assert.Equal("time", RefusalAt("It is 6 May 2026 in Honolulu.", TimeSpan.FromMinutes(5)));
        Assert.Equal("time", RefusalAt("It is 8 May 2026 in Auckland.", TimeSpan.FromHours(22)));
        Assert.Null(RefusalAt("It will be 9 May 2026.", TimeSpan.FromHours(22)));
    }

    private static string? Refusal(string question) => CacheRules.Refusal([new ChatMessage(ChatRole.User, question)], CacheWorld.Call(question), Now);
}
