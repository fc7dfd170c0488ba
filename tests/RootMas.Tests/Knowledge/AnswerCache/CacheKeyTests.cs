using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Models.Pipeline;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What makes two requests the same, and which are none of the cache's business.</summary>
public sealed class CacheKeyTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public static TheoryData<string> Differences => [.. Changes.Keys];

    /// <summary>Each of what the partition is made of, changed by itself.</summary>
    private static readonly Dictionary<string, Func<Request, Request>> Changes = new(StringComparer.Ordinal)
    {
        ["owner"] = static r => r with { Call = new() { OwnerId = "bob", Agent = r.Call.Agent, Purpose = "answer", Tier = r.Call.Tier, PromptVersion = r.Call.PromptVersion, Question = r.Call.Question } },
        ["agent"] = static r => r with { Call = new() { OwnerId = r.Call.OwnerId, Agent = "other", Purpose = "answer", Tier = r.Call.Tier, PromptVersion = r.Call.PromptVersion, Question = r.Call.Question } },
        ["tier"] = static r => r with { Call = new() { OwnerId = r.Call.OwnerId, Agent = r.Call.Agent, Purpose = "answer", Tier = "premium", PromptVersion = r.Call.PromptVersion, Question = r.Call.Question } },
        ["model"] = static r => r with { Call = new() { OwnerId = r.Call.OwnerId, Agent = r.Call.Agent, Purpose = "answer", Tier = r.Call.Tier, Model = "m", PromptVersion = r.Call.PromptVersion, Question = r.Call.Question } },
        ["prompt version"] = static r => r with { Call = new() { OwnerId = r.Call.OwnerId, Agent = r.Call.Agent, Purpose = "answer", Tier = r.Call.Tier, PromptVersion = "v2", Question = r.Call.Question } },
        ["taint"] = static r => r with { Call = new() { OwnerId = r.Call.OwnerId, Agent = r.Call.Agent, Purpose = "answer", Tier = r.Call.Tier, PromptVersion = r.Call.PromptVersion, Question = r.Call.Question, Tainted = true } },
        ["attachments"] = static r => r with { Call = new() { OwnerId = r.Call.OwnerId, Agent = r.Call.Agent, Purpose = "answer", Tier = r.Call.Tier, PromptVersion = r.Call.PromptVersion, Question = r.Call.Question, Documents = ["d1"] } },
        ["knowledge version"] = static r => r with { Version = "2" },
        ["tools"] = static r => r with { Options = new() { Tools = [AIFunctionFactory.CreateDeclaration("calculator", "Computes.", default)] } },
        ["description of a tool"] = static r => r with { Options = new() { Tools = [AIFunctionFactory.CreateDeclaration("search", "Finds more.", Schema("text"))] } },
        ["schema of a tool"] = static r => r with { Options = new() { Tools = [AIFunctionFactory.CreateDeclaration("search", "Finds.", Schema("words"))] } },
        ["top k"] = static r => r with { Options = new() { TopK = 5 } },
        ["frequency penalty"] = static r => r with { Options = new() { FrequencyPenalty = 0.5f } },
        ["presence penalty"] = static r => r with { Options = new() { PresencePenalty = 0.5f } },
        ["another response schema"] = static r => r with { Options = new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(Schema("words")) } },
        ["temperature"] = static r => r with { Options = new() { Temperature = 0 } },
        ["top p"] = static r => r with { Options = new() { TopP = 0.5f } },
        ["output limit"] = static r => r with { Options = new() { MaxOutputTokens = 10 } },
        ["stop"] = static r => r with { Options = new() { StopSequences = ["."] } },
        ["seed"] = static r => r with { Options = new() { Seed = 1 } },
        ["response schema"] = static r => r with { Options = new() { ResponseFormat = ChatResponseFormat.Json } },
        ["system prompt"] = static r => r with { Before = [new(ChatRole.System, "Be long.")] },
        ["history"] = static r => r with { Before = [.. r.Before, new(ChatRole.Assistant, "Hello.")] },
        ["role in the history"] = static r => r with { Before = [new(ChatRole.User, "Be short.")] },
    };

    [Theory]
    [MemberData(nameof(Differences))]
    public void Whatever_is_not_the_last_message_has_to_be_equal(string difference)
    {
        // Where another of the same kind is what differs, there is one before.
        var before = difference switch
        {
            "description of a tool" or "schema of a tool" => new Request { Options = new() { Tools = [AIFunctionFactory.CreateDeclaration("search", "Finds.", Schema("text"))] } },
            "another response schema" => new Request { Options = new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(Schema("text")) } },
            _ => new Request(),
        };
        var (one, other) = (Key(before), Key(Changes[difference](new Request())));
        Assert.NotEqual(one.Partition, other.Partition);
        Assert.NotEqual(one.Key, other.Key);
        Assert.Equal(other, Key(Changes[difference](new Request())) with { Call = other.Call });
    }

    [Fact]
    public void The_last_message_makes_another_request_in_the_same_partition_unless_its_language_differs()
    {
        var one = Key(new Request());
        Assert.Equal(one.Partition, Key(new Request { Question = "How do I change a password?" }).Partition);
        Assert.NotEqual(one.Key, Key(new Request { Question = "How do I change a password?" }).Key);
        Assert.NotEqual(one.Partition, Key(new Request { Question = "Как мне сменить пароль?" }).Partition);
        Assert.NotEqual(one.Partition, Key(new Request { Question = "Wie kann ich das Passwort ändern und die Karte?" }).Partition);
    }

    [Fact]
    public void Fields_cannot_be_shifted_into_each_other()
    {
        var one = Key(new Request { Before = [new(ChatRole.System, "x"), new(ChatRole.User, "ab"), new(ChatRole.User, "c")] });
        Assert.NotEqual(one.Partition, Key(new Request { Before = [new(ChatRole.System, "x"), new(ChatRole.User, "a"), new(ChatRole.User, "bc")] }).Partition);
        Assert.NotEqual(one.Partition, Key(new Request { Before = [new(ChatRole.System, "x"), new(ChatRole.User, "abc")] }).Partition);
    }

    [Theory]
    [InlineData("What time is it?", "time")]
    [InlineData("Который час в Москве?", "time")]
    [InlineData("What is the weather like?", "time")]
    [InlineData("What happened on 2026-03-01?", "time")]
    [InlineData("My name is Ann, what does it mean?", "personal")]
    [InlineData("Меня зовут Анна, что это значит?", "personal")]
    [InlineData("Write to ann@example.org for me.", "personal")]
    [InlineData("Call +7 916 123-45-67 for me.", "personal")]
    [InlineData("Call 916.123.45.67 for me.", "personal")]
    [InlineData("Was it 1.5 or 2.25 in 2024. 10 say so.", null)]
    [InlineData("Is 4111 1111 1111 1111 a good card?", "personal")]
    [InlineData("What does 12345678-1234-1234-1234-123456789012 say?", null)]
    [InlineData("Is 12345678-1234-1234-1234-1234567890123 a card?", "personal")]
    [InlineData("Call 8-916-123-45-67 about 12345678-1234-1234-1234-123456789012.", "personal")]
    [InlineData("How do I reset a password?", null)]
    [InlineData("How many people live in a town of 10,000,000 when 3 in 5 leave?", null)]
    [InlineData("What is 12 + 30 + 500?", null)]
    public void What_is_true_only_for_a_while_or_about_a_person_is_not_kept(string question, string? why) =>
        Assert.Equal(why, CacheRules.Refusal([new ChatMessage(ChatRole.User, question)], CacheWorld.Call(question), Now));

    [Fact]
    public void Tool_results_and_personal_data_anywhere_in_the_request_keep_it_out()
    {
        var call = CacheWorld.Call("And now?");
        var last = new ChatMessage(ChatRole.User, "And now?");
        Assert.Equal("tool_results", CacheRules.Refusal([new ChatMessage(ChatRole.Tool, [new FunctionResultContent("1", "42")]), last], call, Now));
        Assert.Equal("tool_results", CacheRules.Refusal([new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("1", "calculator")]), last], call, Now));
        Assert.Equal("tool_results", CacheRules.Refusal([new ChatMessage(ChatRole.User, "<untrusted source=\"tool\" id=\"1\">\n42\n</untrusted>"), last], call, Now));
        Assert.Equal("personal", CacheRules.Refusal([new ChatMessage(ChatRole.User, "I live at 5 Long Road."), last], call, Now));
        Assert.Equal("not_for_cache", CacheRules.Refusal([last], CacheWorld.Call("And now?", cache: "none"), Now));
    }

    [Fact]
    public void A_look_that_finds_nothing_allocates_nothing()
    {
        var request = new Request { Before = [new(ChatRole.System, new string('x', 4_000)), new(ChatRole.User, "Hello."), new(ChatRole.Assistant, "Hello.")] };
        ChatMessage[] messages = [.. request.Before, new(ChatRole.User, request.Question)];
        var (memory, index, options) = (new ExactAnswers(1_000), new AnswerIndex(), new ChatOptions());
        var call = CacheWorld.Call(request.Question);
        bool Look()
        {
            var key = AnswerRequest.Of(messages, options, call, "1", AskedModels.None);
            return CacheRules.Refusal(messages, call, Now) is null && memory.Find(key.Key, Now) is null && index.Find(key.Key, Now) is null && !index.Has(key.Partition);
        }

        Assert.True(Look());
        long LookOften()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 100; i++)
            {
                Look();
            }

            return (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
        }

        // Of many rounds the first good one: what expressions and pools lend, a test beside this one may have at the moment, and code that is not compiled for good yet allocates more.
        Assert.Contains(Enumerable.Range(0, 2_000), _ => LookOften() <= 200);
    }

    [Theory]
    [InlineData("Send 5 cards", "Send five cards", true)]
    [InlineData("It costs 1,000 now", "It costs 1000 now", true)]
    [InlineData("Send 5 cards", "Send 6 cards", false)]
    [InlineData("Pay 10%", "Pay 10", false)]
    [InlineData("Is it allowed?", "Is it not allowed?", false)]
    [InlineData("I can pay", "I can't pay", false)]
    [InlineData("Можно ли вернуть товар?", "Нельзя ли вернуть товар?", false)]
    [InlineData("How do I enable two-step login?", "How do I disable two-step login?", false)]
    [InlineData("How do I lock my card?", "How do I unlock my card?", false)]
    [InlineData("Доступен ли сервер ночью?", "Недоступен ли сервер ночью?", false)]
    [InlineData("Какой тариф самый выгодный?", "Какой тариф самый невыгодный?", false)]
    [InlineData("Что делать в отпуске?", "Что делать в отпуске за неделю?", true)]
    [InlineData("A train from Moscow to Paris", "A train from Paris to Moscow", false)]
    [InlineData("Tell me about Paris", "Tell me about London", false)]
    [InlineData("What does `a + b` do?", "What does `a - b` do?", false)]
    [InlineData("What does read_file do?", "What does write_file do?", false)]
    [InlineData("Are you open on monday?", "Are you open on friday?", false)]
    [InlineData("Открыто ли в понедельник?", "Открыто ли по понедельникам?", true)]
    [InlineData("How do I reset a password?", "Please tell me how to reset a password", true)]
    [InlineData("Send 25 cards", "Send twenty-five cards", true)]
    [InlineData("Send 25 cards", "Send twenty five cards", true)]
    [InlineData("Send 25 cards", "Send twenty-six cards", false)]
    [InlineData("Pay 15 bills", "Pay fifteen bills", true)]
    [InlineData("Pay forty bills", "Pay fifty bills", false)]
    [InlineData("Pay 2,345 now", "Pay two thousand three hundred and forty-five now", true)]
    [InlineData("From 2 to 3 days", "From two to three days", true)]
    [InlineData("Rows two three", "Rows 2 3", true)]
    [InlineData("Rows twenty, five", "Rows 20, 5", true)]
    [InlineData("Rows ten five", "Rows 10 5", true)]
    [InlineData("A hundred and a day", "100 and a day", true)]
    [InlineData("Два дня", "В течение двух дней", true)]
    [InlineData("Не больше двадцати пяти дней", "Не больше 25 дней", true)]
    [InlineData("Не больше двадцати пяти дней", "Не больше двадцати шести дней", false)]
    [InlineData("Через одиннадцать дней", "Через двенадцать дней", false)]
    [InlineData("До трёхсот рублей", "До 300 рублей", true)]
    [InlineData("Пять тысяч двести рублей", "5200 рублей", true)]
    [InlineData("Больше пятидесяти рублей", "Больше шестидесяти рублей", false)]
    [InlineData("Пригласить семью", "Пригласить друзей", true)]
    [InlineData("How do I do the fourth step?", "How do I do the fifth step?", false)]
    [InlineData("Who was the twenty-first of them?", "Who was the twenty-second of them?", false)]
    [InlineData("Как сделать четвёртый шаг?", "Как сделать пятый шаг?", false)]
    [InlineData("Что в двадцать пятой главе?", "Что в 25 главе?", true)]
    [InlineData("Pay two billion", "Pay two trillion", false)]
    [InlineData("Pay one billion", "Pay one", false)]
    [InlineData("Pay two billion three million and five now", "Pay 2,003,000,005 now", true)]
    [InlineData("Больше миллиарда рублей", "Больше миллиона рублей", false)]
    [InlineData("Two dozen eggs", "Three dozen eggs", false)]
    public void Numbers_dates_names_negations_and_code_have_to_be_the_same(string a, string b, bool same) =>
        Assert.Equal((same, same), (MeaningMarks.Of(a).Fit(MeaningMarks.Of(b)), MeaningMarks.Of(b).Fit(MeaningMarks.Of(a))));

    [Theory]
    [InlineData("Why did my card arrive?", "Why didnt my card arrive?", false)]
    [InlineData("I can pay", "I cant pay", false)]
    [InlineData("It does work", "It doesnt work", false)]
    [InlineData("It is there", "It isnt there", false)]
    [InlineData("They will pay", "They wont pay", false)]
    [InlineData("I dont pay", "I don't pay", true)]
    [InlineData("I havent paid", "I haven’t paid", true)]
    [InlineData("He hasnt paid", "He hasnʼt paid", true)]
    [InlineData("It wasnt paid", "It wasn´t paid", true)]
    [InlineData("I can pay", "I can´t pay", false)]
    [InlineData("I can pay", "I canʼt pay", false)]
    [InlineData("Это безопасно?", "Это небезопасно?", false)]
    [InlineData("Это полезно?", "Это небесполезно?", false)]
    [InlineData("Это платная услуга?", "Это небесплатная услуга?", false)]
    [InlineData("Какой большой дом?", "Какой небольшой дом?", false)]
    [InlineData("Это богатый край?", "Это небогатый край?", false)]
    [InlineData("Это делимый фонд?", "Это неделимый фонд?", false)]
    [InlineData("Почему синее?", "Почему небеса синие?", true)]
    [InlineData("Какой высоты здание?", "Какой высоты небоскрёб здание?", true)]
    [InlineData("Сколько дней?", "Сколько дней в неделе?", true)]
    [InlineData("Где платить?", "Негде платить?", false)]
    [InlineData("Мне есть где жить", "Мне негде жить", false)]
    [InlineData("Это помогает как", "Это никак помогает", false)]
    [InlineData("Это какой способ", "Это никакой способ", false)]
    [InlineData("Это никакие данные?", "Это данные?", false)]
    [InlineData("Давать это кому", "Давать это никому", false)]
    [InlineData("Идти куда", "Идти никуда", false)]
    [InlineData("Погода в Непале?", "Погода в Неаполе?", false)]
    [InlineData("Непал далеко?", "Неаполь далеко?", false)]
    [InlineData("Нестабильно работает сеть?", "Сеть работает нестабильно?", true)]
    [InlineData("How do I freeze a card?", "How do I unfreeze a card?", false)]
    [InlineData("How do I mute a chat?", "How do I unmute a chat?", false)]
    [InlineData("How do I pin a chat?", "How do I unpin a chat?", false)]
    [InlineData("How do I hide a chat?", "How do I unhide a chat?", false)]
    [InlineData("How do I check a box?", "How do I uncheck a box?", false)]
    [InlineData("Which ones do people like?", "Which ones do people dislike?", false)]
    [InlineData("Unmute it", "Please unmute it", true)]
    [InlineData("Unger lives where?", "Unruh lives where?", false)]
    [InlineData("How do I pay a unit of it?", "How do I pay a part of it?", true)]
    [InlineData("Wait until it is there", "Wait while it is there", true)]
    [InlineData("What is under it?", "What is in it?", true)]
    [InlineData("Is this important?", "Is this unimportant?", false)]
    public void A_negation_is_seen_however_it_is_written(string a, string b, bool same) =>
        Assert.Equal((same, same), (MeaningMarks.Of(a).Fit(MeaningMarks.Of(b)), MeaningMarks.Of(b).Fit(MeaningMarks.Of(a))));

    [Theory]
    [InlineData("Билет на двоих", "Билет на троих", false)]
    [InlineData("Пособие на двоих детей", "Пособие на 2 детей", true)]
    [InlineData("У нас двое детей", "У нас трое детей", false)]
    [InlineData("Купили оба дома", "Купили дома", false)]
    [InlineData("Стало вдвое дороже", "Стало втрое дороже", false)]
    [InlineData("Ещё десяток яиц", "Ещё дюжину яиц", false)]
    [InlineData("Звонили четырежды", "Звонили трижды", false)]
    [InlineData("Цена: двухкомнатная квартира", "Цена: трёхкомнатная квартира", false)]
    [InlineData("Для двухлетнего ребёнка", "Для пятилетнего ребёнка", false)]
    [InlineData("Для двухлетнего ребёнка", "Для двухлетней дочки", true)]
    [InlineData("На двадцатипятилетие", "На двадцатилетие", false)]
    [InlineData("Погода: Пятигорск", "Погода: Пятихатки", false)]
    [InlineData("Пришёл на семинар", "Пришёл на урок", true)]
    [InlineData("Ждать полчаса", "Ждать час", false)]
    [InlineData("For a two-year-old child", "For a twelve-year-old child", false)]
    [InlineData("For a twenty-five-year-old", "For a twenty-six-year-old", false)]
    [InlineData("For a two-year-old child", "For a child", false)]
    [InlineData("Is it on 5 jan?", "Is it on 5 feb?", false)]
    [InlineData("Is it on 5 jan?", "Is it on 5 January?", true)]
    [InlineData("Is it on 5 may?", "Is it on 5 jun?", false)]
    [InlineData("Is it on 5 may?", "Is it on 5 May?", true)]
    [InlineData("Are you there on mon?", "Are you there on tue?", false)]
    [InlineData("Are you there on tues?", "Are you there on Tuesday?", true)]
    [InlineData("Отпуск 5 янв", "Отпуск 5 фев", false)]
    [InlineData("Отпуск 5 янв.", "Отпуск 5 января", true)]
    [InlineData("Открыто в пн?", "Открыто в вт?", false)]
    [InlineData("Открыто в пн?", "Открыто в понедельник?", true)]
    [InlineData("Отпуск в мае", "Отпуск в июне", false)]
    [InlineData("Отпуск в мае", "Отпуск в году", false)]
    public void Numbers_within_words_collective_ones_and_short_dates_count(string a, string b, bool same) =>
        Assert.Equal((same, same), (MeaningMarks.Of(a).Fit(MeaningMarks.Of(b)), MeaningMarks.Of(b).Fit(MeaningMarks.Of(a))));

    [Theory]
    [InlineData("How much is $100 in roubles?", "How much is €100 in roubles?", false)]
    [InlineData("How much is £100 in roubles?", "How much is 100 in roubles?", false)]
    [InlineData("How much is $100 in roubles?", "How much is 100 $ in roubles?", true)]
    [InlineData("How much is $100 in roubles?", "How much is $ 100 in roubles?", true)]
    [InlineData("How much is €100, please?", "How much is 100€, please?", true)]
    [InlineData("Is it -$5 or $-5?", "Is it $-5 or -$5?", true)]
    [InlineData("Is it -$5?", "Is it $5?", false)]
    [InlineData("Сколько будет 100 € в рублях?", "Сколько будет 100 £ в рублях?", false)]
    [InlineData("Сколько будет 100 ₽ в долларах?", "Сколько будет 100 в долларах?", false)]
    [InlineData("Pay $ five now", "Pay € five now", false)]
    [InlineData("Сколько будет 1,5 км в милях?", "Сколько будет 15 км в милях?", false)]
    [InlineData("Сколько будет 1,5 км в милях?", "Сколько будет 1.5 км в милях?", true)]
    [InlineData("Сколько будет 1,50 км в милях?", "Сколько будет полтора км в милях?", true)]
    [InlineData("Сколько весит 0,125 л?", "Сколько весит 125 л?", false)]
    [InlineData("Сколько весит 1,250 кг?", "Сколько весит 1250 кг?", false)]
    [InlineData("It costs 1,250,000 now", "It costs 1250000 now", true)]
    [InlineData("It costs 1,234.50 now", "It costs 1234.5 now", true)]
    [InlineData("Es kostet 1.234,50 heute", "Es kostet 1234,5 heute", true)]
    [InlineData("Is it 1.2.3?", "Is it 123?", false)]
    [InlineData("Is it for 18+?", "Is it for 18?", false)]
    [InlineData("What is 8 × 2?", "What is 8 ÷ 2?", false)]
    [InlineData("What is 8 − 2?", "What is 8 - 2?", true)]
    [InlineData("What is 8 - 2?", "What is 8 : 2?", false)]
    [InlineData("What is 8 : 2?", "What is 8, 2?", false)]
    [InlineData("What is -8?", "What is −8?", true)]
    [InlineData("What is x - 2?", "What is x : 2?", false)]
    [InlineData("What is 2 * (3 + 4)?", "What is (2 * 3) + 4?", false)]
    [InlineData("Pay .5 now", "Pay 5 now", false)]
    [InlineData("Pay .5 now", "Pay 0.5 now", true)]
    [InlineData("Take 2 (two) of them", "Take 2 two of them", true)]
    [InlineData("Is it ½ of it?", "Is it ¼ of it?", false)]
    [InlineData("Прибавь 5 % к цене", "Прибавь 5 к цене", false)]
    [InlineData("Прибавь 5 % к цене", "Прибавь 5% к цене", true)]
    [InlineData("Москва — столица?", "Москва - столица?", true)]
    [InlineData("Room 5 — is it free?", "Room 5 is it free?", true)]
    public void Currencies_decimal_commas_and_signs_of_arithmetic_count_and_their_place_does_not(string a, string b, bool same) =>
        Assert.Equal((same, same), (MeaningMarks.Of(a).Fit(MeaningMarks.Of(b)), MeaningMarks.Of(b).Fit(MeaningMarks.Of(a))));

    [Theory]
    [InlineData("What is vitamin C good for?", "What is vitamin D good for?", false)]
    [InlineData("Why plan A and not another?", "Why plan B and not another?", false)]
    [InlineData("Для чего витамин С?", "Для чего витамин Д?", false)]
    [InlineData("How do I charge an iPhone?", "How do I charge an iPad?", false)]
    [InlineData("iPhone is charged how?", "iPad is charged how?", false)]
    [InlineData("How do I sell on eBay?", "How do I sell on ebay?", false)]
    [InlineData("Are they pro-Russian?", "Are they pro-American?", false)]
    [InlineData("C is older?", "D is older?", false)]
    [InlineData("C is older?", "Is C older?", true)]
    [InlineData("How do I pay?", "How to pay?", true)]
    [InlineData("Then I'm late?", "So it is late?", true)]
    [InlineData("A train to the sea", "The train to the sea", true)]
    [InlineData("В доме тепло?", "Тепло в доме?", true)]
    [InlineData("Я не успею?", "Если Я не успею?", true)]
    public void One_letter_is_a_name_and_so_is_what_begins_small(string a, string b, bool same) =>
        Assert.Equal((same, same), (MeaningMarks.Of(a).Fit(MeaningMarks.Of(b)), MeaningMarks.Of(b).Fit(MeaningMarks.Of(a))));

    [Theory]
    [InlineData("Anna lives where?", "Boris lives where?", false)]
    [InlineData("Anna lives where?", "anna lives where?", true)]
    [InlineData("Anna lives where?", "Where does Anna live?", true)]
    [InlineData("Paris is how far?", "Rome is how far?", false)]
    [InlineData("Paris is how far?", "How far is it?", false)]
    [InlineData("Hello. Paris is how far?", "Hello. Rome is how far?", false)]
    [InlineData("Anna's phone is lost", "Boris's phone is lost", false)]
    [InlineData("Transfers do not arrive", "My transfers do not arrive", true)]
    [InlineData("Cards do not arrive", "Transfers do not arrive", false)]
    [InlineData("Pending transfer", "Transfer pending", true)]
    [InlineData("Where is my card?", "When is my card here?", true)]
    [InlineData("What's the fee?", "Tell me the fee", true)]
    [InlineData("Please cancel my order", "Cancel my order", true)]
    [InlineData("Анна живёт где?", "Борис живёт где?", false)]
    [InlineData("Анна живёт где?", "Где живёт Анна?", true)]
    [InlineData("Москва далеко?", "Казань далеко?", false)]
    [InlineData("Расскажите о карте", "Объясните о карте", true)]
    [InlineData("Сменить пароль", "Поменять пароль", true)]
    [InlineData("Карта не пришла", "Моя карта не пришла", true)]
    [InlineData("Скольким людям это нужно?", "Каким людям это нужно?", true)]
    public void A_first_word_is_a_name_unless_sentences_begin_so_or_the_other_question_has_it_in_lower_case(string a, string b, bool same) =>
        Assert.Equal((same, same), (MeaningMarks.Of(a).Fit(MeaningMarks.Of(b)), MeaningMarks.Of(b).Fit(MeaningMarks.Of(a))));

    [Theory]
    [InlineData("The answer is **42**.", "the answer is 42", "Same")]
    [InlineData("42", "42.0", "Same")]
    [InlineData("42 km", "43 km", "Different")]
    [InlineData("Yes.", "Certainly.", "Unknown")]
    public void Equal_texts_and_equal_numbers_need_no_judge(string a, string b, string verdict) => Assert.Equal(verdict, AnswerJudge.Rule(a, b).ToString());

    [Fact]
    public void In_memory_the_longest_unused_goes_first()
    {
        var memory = new ExactAnswers(2);
        CachedAnswer Answer(string text) => new()
        {
            Id = Guid.NewGuid(), OwnerId = "a", Agent = "a", PromptVersion = "", Text = text, Model = "", Provider = "", Tier = "", InputTokens = 0, OutputTokens = 0, MicroUsd = 0, CreatedAt = Now, ExpiresAt = Now.AddHours(1),
        };
        memory.Put(new Digest(0, 1), Answer("one"));
        memory.Put(new Digest(0, 2), Answer("two"));
        Assert.NotNull(memory.Find(new Digest(0, 1), Now));
        memory.Put(new Digest(0, 3), Answer("three"));
        Assert.Null(memory.Find(new Digest(0, 2), Now));
        Assert.Equal("one", memory.Find(new Digest(0, 1), Now)!.Text);
        Assert.Equal(2, memory.Count);
        Assert.Null(memory.Find(new Digest(0, 1), Now.AddHours(1)));
    }

    private static JsonElement Schema(string property) => JsonElement.Parse("""{"type":"object","properties":{"NAME":{"type":"string"}}}""".Replace("NAME", property, StringComparison.Ordinal));

    private static AnswerRequest Key(Request request)
    {
        var call = request.Call.Question == request.Question ? request.Call : CacheWorld.Call(request.Question);
        return AnswerRequest.Of([.. request.Before, new ChatMessage(ChatRole.User, request.Question)], request.Options, call, request.Version, AskedModels.None);
    }

    private sealed record Request
    {
        public string Question { get; init; } = "How do I reset a password?";

        public ModelCall Call { get; init; } = CacheWorld.Call("How do I reset a password?");

        public ChatOptions Options { get; init; } = new();

        public string Version { get; init; } = "1";

        public ChatMessage[] Before { get; init; } = [new(ChatRole.System, "Be short.")];
    }
}
